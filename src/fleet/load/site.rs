//! One site of the file, with `defaults` merged in.

use std::ops::Range;

use super::title;
use crate::fleet::at::Known;
use crate::fleet::draft::{Claims, Draft};
use crate::fleet::fields::Fields;
use crate::fleet::finding::Report;
use crate::fleet::key::Key;
use crate::fleet::keys;
use crate::fleet::model::{Recipe, Site};
use crate::fleet::name::Name;
use crate::fleet::tree::Node;

/// What is said for all sites, and the names that sites may refer to.
pub(super) struct Common<'n> {
    defaults: Option<Fields<'n>>,
    /// What came of them.
    said: Draft,
    known: Known<'n>,
}

impl<'n> Common<'n> {
    /// Reads `defaults`, and says what is wrong with it once.
    pub fn read(node: Option<&'n Node>, known: Known<'n>, report: &mut Report) -> Self {
        let mut said = Draft::new(Claims::default());
        let defaults = node.map(|node| {
            let at = node.span.clone();
            let fields = Fields::read(node, &keys::DEFAULTS, "`defaults`".into(), at, report);
            for row in keys::SITE_ROWS {
                row.take(&fields, "", &known, &mut said, report);
            }
            fields
        });
        Common {
            defaults,
            said,
            known,
        }
    }

    /// Whether a key that a site has to have comes from `defaults`.
    fn gives(&self, key: &str) -> bool {
        match key {
            "host" => !self.said.site.host.as_str().is_empty(),
            "recipe" => self.said.recipe.is_some(),
            _ => false,
        }
    }
}

/// Reads one site. Its claims come back even when the site itself is wrong, so that every clash of
/// domains is said at once.
pub(super) fn site(
    name: Option<Name>,
    node: &Node,
    at: Range<usize>,
    common: &Common<'_>,
    report: &mut Report,
) -> (Option<Site>, Claims) {
    let fields = Fields::read(node, &keys::SITE, title("site", &name), at.clone(), report);
    let mut draft = Draft::new(Claims {
        title: fields.what.clone(),
        ..Claims::default()
    });
    // What is wrong with the defaults was said when they were read.
    let mut said = Report::new("", report.file());
    for row in keys::SITE_ROWS {
        let fits =
            row.key.recipes.is_empty() || draft.recipe.is_some_and(|r| row.key.belongs_to(r));
        if let Some(defaults) = common.defaults.as_ref().filter(|_| fits) {
            row.take(defaults, "", &common.known, &mut draft, &mut said);
        }
        row.take(&fields, "", &common.known, &mut draft, report);
    }
    let word = draft.recipe;
    fields.require(report, |key: &Key| match key.recipes {
        [] => !common.gives(key.name),
        _ => word.is_some_and(|word| key.belongs_to(word)),
    });
    belongs(&fields, word, report);
    let place = |key: &str| fields.get(key).map_or(at.clone(), |node| node.span.clone());
    let (mut site, mut claims) = (draft.site, draft.claims);
    claims.redirect_www = site.redirect_www.map(|_| place("redirect_www"));
    if fields.get("account").is_none()
        && site.account.is_none()
        && !common.known.accounts.is_empty()
    {
        report
            .warning(at.clone(), format!("{} belongs to no account", fields.what))
            .help("add `account: NAME`");
    }
    let (Some(name), Some(_), false) = (name, word, site.host.as_str().is_empty()) else {
        return (None, claims);
    };
    site.name = name;
    let little = site.limits.memory.is_some_and(|memory| memory < 64 << 20);
    if little && matches!(site.recipe, Recipe::Php { .. }) {
        report
            .warning(place("memory"), "little memory for Apache with PHP")
            .label("64M is the least that serves a page or two at a time");
    }
    (Some(site), claims)
}

/// Says which keys another recipe knows, but not this one.
fn belongs(fields: &Fields<'_>, recipe: Option<&str>, report: &mut Report) {
    let Some(recipe) = recipe else { return };
    let health = fields.get("health").map_or(&[][..], |node| node.entries());
    let inner = health
        .iter()
        .filter_map(|e| Some((keys::HEALTH.key(e.key.text()?)?, e)));
    for (key, entry) in fields
        .iter()
        .chain(inner)
        .filter(|(key, _)| !key.belongs_to(recipe))
    {
        let message = format!("the recipe `{recipe}` has no key `{}`", key.name);
        let finding = report.error(entry.key.span.clone(), message);
        match key.recipes {
            [one] => finding.label(format!("it belongs to `recipe: {one}`")),
            several => finding.label(format!("it belongs to: {}", several.join(", "))),
        };
        let recipe_key = fields.entry("recipe").filter(|_| key.recipes.len() == 1);
        if let Some(entry) = recipe_key {
            finding.also(entry.value.span.clone(), "the recipe");
        }
    }
}
