//! One site of the file, with `defaults` merged in.

use std::cell::Cell;
use std::ops::Range;

use indexmap::IndexMap;

use super::{certificate, title};
use crate::fleet::at::Known;
use crate::fleet::draft::{Claims, Draft};
use crate::fleet::fields::Fields;
use crate::fleet::finding::Report;
use crate::fleet::key::Key;
use crate::fleet::keys;
use crate::fleet::model::{Account, Recipe, Site, SiteState};
use crate::fleet::name::Name;
use crate::fleet::tree::Node;
use crate::fleet::{php_ini, value};

/// What is said for all sites, and the names that sites may refer to.
pub(super) struct Common<'n> {
    defaults: Option<Fields<'n>>,
    /// What came of them.
    said: Draft,
    known: Known<'n>,
    /// The customers, for what they say for their sites.
    accounts: &'n IndexMap<Name, Account>,
    /// Whether it was said already what of them does not fit together.
    doubtful: Cell<bool>,
}

impl<'n> Common<'n> {
    /// Reads `defaults`, and says what is wrong with it once.
    pub fn read(
        node: Option<&'n Node>,
        known: Known<'n>,
        accounts: &'n IndexMap<Name, Account>,
        report: &mut Report,
    ) -> Self {
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
            accounts,
            doubtful: Cell::new(false),
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
        name: name.clone(),
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
    let account = site.account.as_ref();
    let account = account.and_then(|name| common.accounts.get(name));
    if fields.get("certificate").is_none()
        && let Some(certificate) = account.and_then(|account| account.certificate.clone())
    {
        site.certificate = Some(certificate);
    }
    claims.redirect_www = site.redirect_www.map(|_| place("redirect_www"));
    claims.host = Some(site.host.clone());
    claims.routed = site.state != SiteState::Archived;
    if let (Recipe::Proxy { to }, Some(node)) = (&site.recipe, fields.get("to")) {
        claims.to = Some((to.clone(), node.span.clone()));
    }
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
    certificate::of_site(&site, &fields, at.clone(), report);
    php(&site, &fields, at, common, report);
    (Some(site), claims)
}

/// Says what of php.ini does not fit the rest. What comes from `defaults` alone is said once.
fn php(
    site: &Site,
    fields: &Fields<'_>,
    at: Range<usize>,
    common: &Common<'_>,
    report: &mut Report,
) {
    let Recipe::Php { ini, .. } = &site.recipe else {
        return;
    };
    let own = ["ini", "timeout"].iter().find_map(|key| fields.get(key));
    let (span, again) = match (own, &common.defaults) {
        (Some(node), _) => (node.span.clone(), false),
        (None, Some(defaults)) => {
            let node = ["ini", "timeout"].iter().find_map(|key| defaults.get(key));
            (
                node.map_or(at, |node| node.span.clone()),
                common.doubtful.replace(true),
            )
        }
        (None, None) => (at, false),
    };
    if again {
        return;
    }
    let timeout = value::format_seconds(site.timeout_s);
    let run = match php_ini::run_time(ini) {
        Some(seconds) if seconds <= site.timeout_s => None,
        Some(seconds) => Some(value::format_seconds(seconds)),
        None => Some("without an end".into()),
    };
    if let Some(run) = run {
        let whose = match ini.contains_key("max_execution_time") {
            true => "`max_execution_time`",
            false => "PHP's own `max_execution_time`",
        };
        report
            .warning(
                span.clone(),
                format!("{whose} is longer than the site's `timeout`"),
            )
            .label(format!(
                "a script runs {run}; its visitor gets 504 after {timeout} without a byte"
            ))
            .help("raise `timeout`, or set `ini: { max_execution_time: … }` to no more than it");
    }
    let said = |key: &str| ini.get(key).and_then(|text| php_ini::size(text));
    if let (Some(body), Some(file)) = (said("post_max_size"), said("upload_max_filesize"))
        && (1..file).contains(&body)
    {
        report
            .warning(span, "`upload_max_filesize` is larger than `post_max_size`")
            .label("a file of more than `post_max_size` is answered with 413")
            .help("leave one of them out: it follows the other");
    }
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
