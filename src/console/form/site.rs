//! The form that creates a site. Every value goes through the fleet file's own parsers.

use super::{Field, Form, Value};
use crate::console::widget::input::Input;
use crate::fleet::value::{parse_domain, parse_image, parse_memory, parse_php};
use crate::fleet::{Domain, Edit, Fleet, Name, ProxyTarget, Value as Given};

/// The fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Id {
    /// Name.
    Name,
    /// Account.
    Account,
    /// Host.
    Host,
    /// Recipe.
    Recipe,
    /// Version of PHP.
    Php,
    /// Image.
    Image,
    /// Port of the image.
    Port,
    /// Target of a proxy.
    To,
    /// Domains.
    Domains,
    /// Memory.
    Memory,
}

/// What the form makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSite {
    /// Name.
    pub name: Name,
    /// Account, if any.
    pub account: Option<Name>,
    /// Host.
    pub host: Name,
    /// Recipe and what it needs, as the file writes it: key, value.
    pub recipe: Vec<(&'static str, String)>,
    /// Domains.
    pub domains: Vec<Domain>,
    /// Memory as the file writes it; none: the fleet's default.
    pub memory: Option<String>,
}

impl NewSite {
    /// The edit that adds it to the fleet file.
    pub fn edit(&self) -> Edit {
        let text = |key: &str, value: &str| (key.to_owned(), value.into());
        let account = self.account.iter();
        let mut fields: Vec<(String, Given)> = account
            .map(|account| text("account", account.as_str()))
            .collect();
        fields.push(text("host", self.host.as_str()));
        fields.extend(self.recipe.iter().map(|(key, value)| text(key, value)));
        let domains: Vec<&str> = self.domains.iter().map(|domain| domain.as_str()).collect();
        fields.push(("domains".to_owned(), domains.into()));
        fields.extend(self.memory.iter().map(|memory| text("memory", memory)));
        Edit::CreateSite {
            name: self.name.to_string(),
            fields,
        }
    }
}

/// Recipes offered.
const RECIPES: [&str; 4] = ["static", "php", "image", "proxy"];
/// Choice that stands for no account.
const NO_ACCOUNT: &str = "(none)";

/// An empty form with sensible values; `host` and `account` are where the cursor was.
pub fn new(fleet: &Fleet, host: Option<&str>, account: Option<&str>) -> Form<Id> {
    let text = |id, label, help, value: &str| Field {
        id,
        label,
        help,
        value: Value::Text(Input::new(value)),
        error: None,
        touched: false,
        shown: true,
    };
    let choice = |id, label, help, options: Vec<String>, wanted: Option<&str>| {
        let at = wanted
            .and_then(|w| options.iter().position(|o| o == w))
            .unwrap_or(0);
        Field {
            id,
            label,
            help,
            value: Value::Choice(options, at),
            error: None,
            touched: false,
            shown: true,
        }
    };
    let mut accounts: Vec<String> = fleet.accounts.keys().map(Name::to_string).collect();
    accounts.push(NO_ACCOUNT.into());
    let hosts: Vec<String> = fleet.hosts.keys().map(Name::to_string).collect();
    let recipes = RECIPES.map(str::to_owned).to_vec();
    let mut form = Form {
        title: "create a site".into(),
        fields: vec![
            text(
                Id::Name,
                "name",
                "a-z, 0-9 and -; also its login and folder",
                "",
            ),
            choice(
                Id::Account,
                "account",
                "whose it is; ← → choose",
                accounts,
                account,
            ),
            choice(Id::Host, "host", "where it runs; ← → choose", hosts, host),
            choice(
                Id::Recipe,
                "recipe",
                "how it is run; ← → choose",
                recipes,
                Some("php"),
            ),
            text(Id::Php, "php", "version, such as 8.4", "8.4"),
            text(Id::Image, "image", "any image that serves HTTP", ""),
            text(Id::Port, "port", "the port the image listens on", "80"),
            text(
                Id::To,
                "to",
                "container:port on the host, or http://address:port",
                "",
            ),
            text(
                Id::Domains,
                "domains",
                "one or more, with spaces between",
                "",
            ),
            text(
                Id::Memory,
                "memory",
                "such as 128M; empty: the fleet's default",
                "",
            ),
        ],
        focus: 0,
    };
    check(&mut form, fleet);
    form
}

/// Checks every field; to be called after each change.
pub fn check(form: &mut Form<Id>, fleet: &Fleet) {
    let recipe = form.text(Id::Recipe).to_owned();
    for field in &mut form.fields {
        field.shown = match field.id {
            Id::Php => recipe == "php",
            Id::Image | Id::Port => recipe == "image",
            Id::To => recipe == "proxy",
            Id::Memory => recipe != "proxy",
            _ => true,
        };
    }
    let errors: Vec<Option<String>> = form
        .fields
        .iter()
        .map(|field| wrong(form, fleet, field.id))
        .collect();
    for (field, error) in form.fields.iter_mut().zip(errors) {
        field.error = error.filter(|_| field.shown);
    }
}

/// What is wrong with a field.
fn wrong(form: &Form<Id>, fleet: &Fleet, id: Id) -> Option<String> {
    let text = form.text(id);
    match id {
        Id::Name => match text.parse::<Name>() {
            Err(e) => Some(e.to_string()),
            Ok(name) if fleet.sites.contains_key(&name) => {
                Some(format!("there is a site {name} already"))
            }
            Ok(_) => None,
        },
        Id::Account | Id::Recipe => None,
        Id::Host => text
            .is_empty()
            .then(|| "the fleet file names no host".to_owned()),
        Id::Php => parse_php(text).err().map(|e| e.to_string()),
        Id::Image => parse_image(text).err().map(|e| e.to_string()),
        Id::Port => match text.parse::<u16>() {
            Ok(1..) => None,
            _ => Some("a port is 1 to 65535".into()),
        },
        Id::To => proxy_target(text).err(),
        Id::Domains => domains(text, fleet).err(),
        Id::Memory if text.is_empty() => None,
        Id::Memory => parse_memory(text).err().map(|e| e.to_string()),
    }
}

fn proxy_target(text: &str) -> Result<(), String> {
    text.parse::<ProxyTarget>()
        .map(|_| ())
        .map_err(|e| e.to_string())
}

fn domains(text: &str, fleet: &Fleet) -> Result<Vec<Domain>, String> {
    let mut found: Vec<Domain> = Vec::new();
    for word in text.split([' ', ',']).filter(|w| !w.is_empty()) {
        let domain = parse_domain(word).map_err(|e| format!("{word}: {e}"))?;
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

/// The site, when nothing is wrong.
pub fn made(form: &Form<Id>, fleet: &Fleet) -> Option<NewSite> {
    let recipe = form.text(Id::Recipe);
    let own = |id| form.text(id).to_owned();
    let mut lines = vec![("recipe", recipe.to_owned())];
    match recipe {
        "php" => lines.push(("php", own(Id::Php))),
        "image" => {
            lines.push(("image", own(Id::Image)));
            lines.push(("port", own(Id::Port)));
        }
        "proxy" => lines.push(("to", own(Id::To))),
        _ => {}
    }
    let memory = own(Id::Memory);
    Some(NewSite {
        name: form.text(Id::Name).parse().ok()?,
        account: match form.text(Id::Account) {
            NO_ACCOUNT => None,
            name => Some(name.parse().ok()?),
        },
        host: form.text(Id::Host).parse().ok()?,
        recipe: lines,
        domains: domains(form.text(Id::Domains), fleet).ok()?,
        memory: (!memory.is_empty() && recipe != "proxy").then_some(memory),
    })
}
