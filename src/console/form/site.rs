//! The form that creates a site: its name, and the keys of the fleet file whose rows say how they
//! are asked for. Every value is read as the file's would be.

use super::{Field, Form, Value};
use crate::console::widget::input::Input;
use crate::fleet::keys::{self, Asked, Key, Kind};
use crate::fleet::value::parse_site_domain;
use crate::fleet::{self, Domain, Edit, Fleet, Name};

/// A field is known by the key that it fills in.
pub type Id = &'static str;

/// The one field that is no key.
const NAME: Id = "name";
/// Choice that stands for no entry.
const NONE: &str = "(none)";

/// What the form makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSite {
    pub name: Name,
    /// Where it is to run.
    pub host: Name,
    /// What is said about it, host included.
    pub said: Vec<(Id, fleet::Value)>,
}

impl NewSite {
    /// As a change of the fleet file.
    pub fn edit(&self) -> Edit {
        Edit::create_site(self.name.as_str(), self.said.clone())
    }
}

/// The keys that are asked for, in the order of the form.
fn asked() -> impl Iterator<Item = (&'static Key, &'static Asked)> {
    keys::creating().filter_map(|key| Some((key, key.asked.as_ref()?)))
}

/// What a new site has of the one that the cursor was on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Like<'a> {
    /// That site; none: the cursor was on a host.
    pub site: Option<&'a str>,
    pub host: Option<&'a str>,
    pub account: Option<&'a str>,
    pub recipe: Option<&'a str>,
}

/// An empty form with sensible values.
pub fn new(fleet: &Fleet, like: Like) -> Form<Id> {
    let field = |id, help, value| Field {
        id,
        label: id,
        help,
        value,
        error: None,
        touched: false,
        shown: true,
        from: None,
    };
    let names = |names: &mut dyn Iterator<Item = &Name>| names.map(Name::to_string).collect();
    let help = "a-z, 0-9 and -; also its login and folder";
    let mut fields = vec![field(NAME, help, Value::Text(Input::new("")))];
    for (key, Asked { help, preset }) in asked() {
        let (mut options, wanted): (Vec<String>, _) = match key.kind {
            Kind::Reference("accounts") => (names(&mut fleet.accounts.keys()), like.account),
            Kind::Reference(_) => (names(&mut fleet.hosts.keys()), like.host),
            Kind::Word(words) => (
                words.iter().map(|w| (*w).to_owned()).collect(),
                like.recipe.filter(|_| key.name == "recipe"),
            ),
            _ => {
                fields.push(field(key.name, help, Value::Text(Input::new(preset))));
                continue;
            }
        };
        if !key.required {
            options.push(NONE.to_owned());
        }
        let place = |wanted: &str| options.iter().position(|option| option == wanted);
        let taken = wanted.and_then(place);
        let at = taken.or_else(|| place(preset)).unwrap_or(0);
        let from = like.site.filter(|_| taken.is_some());
        fields.push(Field {
            from: from.map(str::to_owned),
            ..field(key.name, help, Value::Choice(options, at))
        });
    }
    let mut form = Form {
        title: "create a site".into(),
        fields,
        focus: 0,
    };
    check(&mut form, fleet);
    form
}

/// Checks every field; to be called after each change.
pub fn check(form: &mut Form<Id>, fleet: &Fleet) {
    let recipe = form.text("recipe").to_owned();
    for field in &mut form.fields {
        let key = keys::SITE.key(field.id);
        field.shown = key.is_none_or(|key| key.belongs_to(&recipe));
    }
    let errors: Vec<Option<String>> = form
        .fields
        .iter()
        .map(|field| wrong(form.text(field.id), fleet, field.id))
        .collect();
    for (field, error) in form.fields.iter_mut().zip(errors) {
        field.error = error.filter(|_| field.shown);
    }
}

/// What is wrong with a field.
fn wrong(text: &str, fleet: &Fleet, id: Id) -> Option<String> {
    if id == NAME {
        return match text.parse::<Name>() {
            Err(e) => Some(e.to_string()),
            Ok(name) if fleet.sites.contains_key(&name) => {
                Some(format!("there is a site {name} already"))
            }
            Ok(_) => None,
        };
    }
    let (key, asked) = asked().find(|(key, _)| key.name == id)?;
    match key.kind {
        Kind::Reference(_) | Kind::Word(_) => text
            .is_empty()
            .then(|| format!("the fleet file names no {id}")),
        Kind::Domains => domains(text, fleet).err(),
        // What has a value to begin with is not to be left empty.
        _ if text.is_empty() && !key.required && asked.preset.is_empty() => None,
        _ => fleet::wrong(id, text),
    }
}

fn domains(text: &str, fleet: &Fleet) -> Result<Vec<Domain>, String> {
    let mut found: Vec<Domain> = Vec::new();
    for word in text.split([' ', ',']).filter(|w| !w.is_empty()) {
        let domain = parse_site_domain(word).map_err(|e| format!("{word}: {e}"))?;
        if let Some(site) = fleet
            .sites
            .values()
            .find(|s| s.domains.contains(&domain) || s.redirects.contains_key(&domain))
        {
            return Err(format!("{domain} belongs to {} already", site.name));
        }
        if found.contains(&domain) {
            return Err(format!("{domain} is there twice"));
        }
        found.push(domain);
    }
    if found.is_empty() {
        return Err("a site answers for at least one domain".into());
    }
    Ok(found)
}

/// What the site is to be called.
pub fn name(form: &Form<Id>) -> &str {
    form.text(NAME)
}

/// The site, when nothing is wrong.
pub fn made(form: &Form<Id>, fleet: &Fleet) -> Option<NewSite> {
    let mut said = Vec::new();
    for field in form.fields.iter().filter(|f| f.shown && f.id != NAME) {
        let value = match (field.id, form.text(field.id)) {
            (_, "" | NONE) => continue,
            ("domains", text) => {
                let domains = domains(text, fleet).ok()?;
                domains
                    .iter()
                    .map(Domain::as_str)
                    .collect::<Vec<_>>()
                    .into()
            }
            (_, text) => text.into(),
        };
        said.push((field.id, value));
    }
    Some(NewSite {
        name: form.text(NAME).parse().ok()?,
        host: form.text("host").parse().ok()?,
        said,
    })
}
