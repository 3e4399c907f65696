//! Who is told when something changes for the worse, or is well again.

use serde::{Deserialize, Serialize};

use super::secrets;
use crate::fleet::address::is_private;
use crate::fleet::at::At;
use crate::fleet::endpoint::Endpoint;
use crate::fleet::key::{KEY, Kind, Table};
use crate::fleet::name::Invalid;
use crate::fleet::row::{self, Row, put, rows};
use crate::fleet::service::{SECRET, SecretSpec};
use crate::fleet::value::{self, host_and_port, invalid};
use crate::fleet::yaml::Value;

/// One way by which alerts go out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Notify {
    /// A program and its arguments, run on the operator's machine without a shell.
    Command(Vec<String>),
    /// A request to a URL.
    Webhook(Hook),
    /// A mail.
    Smtp(Box<Smtp>),
}

/// Where a webhook is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// A URL as [`parse_hook`] takes it.
    Url(String),
    /// What comes of this is the URL: whoever knows some may write there.
    Secret(SecretSpec),
}

/// How mail goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Smtp {
    /// The server that takes it.
    pub server: Endpoint,
    pub tls: Tls,
    pub from: String,
    /// At least one.
    pub to: Vec<String>,
    /// The login there; none: it takes mail without.
    pub login: Option<Login>,
}

/// A login at a mail server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Login {
    pub user: String,
    pub password: SecretSpec,
}

/// How a mail server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// In the clear at first; TLS is asked for, and has to come. Usually port 587.
    #[default]
    Starttls,
    /// From the first byte on. Usually port 465.
    Tls,
    /// Never. Usually port 25.
    Off,
}

impl Tls {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Tls::Starttls => "starttls",
            Tls::Tls => "tls",
            Tls::Off => "off",
        }
    }
    fn port(self) -> u16 {
        match self {
            Tls::Starttls => 587,
            Tls::Tls => 465,
            Tls::Off => 25,
        }
    }
}

/// Ways and receivers at most: each alert goes to all of them.
const MOST: usize = 20;

pub const NOTIFY: Table = Table {
    of: "notify",
    shared: false,
    keys: &row::keys::<_, _, { ROWS.len() }>(ROWS),
};

const SMTP: Table = Table {
    of: "smtp",
    shared: false,
    keys: &row::keys::<_, _, { SMTP_ROWS.len() }>(SMTP_ROWS),
};

const ROWS: &[Row<Option<Notify>, Notify>] = &rows! {
    "command" => {
        kind: Kind::Command, example: "[notify-send, ostler]",
        synonyms: &["cmd", "exec", "run"],
        doc: "A program of the operator's machine, run without a shell: it reads the alert on its standard input.",
    }
    read |way, at| *way = at.command().map(Notify::Command);
    write |way| match way {
        Notify::Command(words) => Some(words.clone().into()),
        _ => None,
    };

    "webhook" => {
        kind: Kind::Either(&Kind::Text, &SECRET), example: "https://alerts.example.net/ostler",
        synonyms: &["url", "http", "hook"],
        doc: "A URL to which the alert is posted; where knowing it is enough to write there, as of a secret: `{ file: path }` or `{ command: [program, argument] }`.",
    }
    read webhook;
    write |way| match way {
        Notify::Webhook(Hook::Url(url)) => Some(url.as_str().into()),
        Notify::Webhook(Hook::Secret(spec)) => Some(vec![secrets::source(spec)].into()),
        _ => None,
    };

    "smtp" => {
        kind: Kind::Mapping(&SMTP), example: "{ server: mail.example.net, from: ostler@example.net, to: [ops@example.net] }",
        synonyms: &["mail", "email"],
        doc: "A mail, by this server.",
    }
    read smtp;
    write |way| match way {
        Notify::Smtp(smtp) => row::write_inner(SMTP_ROWS, smtp),
        _ => None,
    };
};

/// A way by mail while it is read: parts of a login by themselves.
#[derive(Default)]
struct Mail {
    /// With port 0 where none is said.
    server: Option<Endpoint>,
    tls: Tls,
    from: String,
    to: Vec<String>,
    user: Option<String>,
    password: Option<SecretSpec>,
}

const SMTP_ROWS: &[Row<Mail, Smtp>] = &rows! {
    "server" => {
        required: true, example: "mail.example.net",
        synonyms: &["host", "relay", "address"],
        doc: "The server that takes the mail: `host` or `host:port`; the port is 587, with `tls: tls` 465, with `tls: off` 25.",
    }
    read |mail, at| mail.server = at.parsed(|text| Endpoint::parse(text, 0));
    write |smtp| Some(smtp.server.written(smtp.tls.port()).into());

    "tls" => {
        kind: Kind::Word(&["starttls", "tls", "off"]), default: "starttls", example: "tls",
        synonyms: &["ssl", "encryption", "security"],
        doc: "`starttls`: asked for, and has to come. `tls`: from the first byte on. `off`: for a server on this machine or a private address.",
    }
    read |mail, at| put(&mut mail.tls, at.named());
    write |smtp| (smtp.tls != Tls::default()).then(|| smtp.tls.word().into());

    "from" => {
        required: true, example: "ostler@example.net",
        synonyms: &["sender"],
        doc: "Who it is from.",
    }
    read |mail, at| put(&mut mail.from, at.parsed(super::acme::mail));
    write |smtp| Some(smtp.from.as_str().into());

    "to" => {
        kind: Kind::List, required: true, example: "[ops@example.net]",
        synonyms: &["rcpt", "recipients", "receivers"],
        doc: "Whom it goes to.",
    }
    read receivers;
    write |smtp| Some(smtp.to.clone().into());

    "user" => {
        example: "ostler",
        synonyms: &["username", "login"],
        doc: "The login there, with `password`.",
    }
    read |mail, at| put(&mut mail.user, at.parsed(user).map(Some));
    write |smtp| Some(smtp.login.as_ref()?.user.as_str().into());

    "password" => {
        kind: Kind::One(&SECRET), example: "{ file: secrets/smtp }",
        synonyms: &["pass", "secret"],
        doc: "Where its password comes from, as of a site's secret.",
    }
    read |mail, at| mail.password = secrets::one("the password of `smtp`", at.node, row::head(at.node), at.report);
    write |smtp| Some(vec![secrets::source(&smtp.login.as_ref()?.password)].into());
};

fn webhook(way: &mut Option<Notify>, at: &mut At<'_, '_>) {
    let hook = match at.is_mapping() {
        true => secrets::one(
            "the URL of `webhook`",
            at.node,
            row::head(at.node),
            at.report,
        )
        .map(Hook::Secret),
        false => at.parsed(parse_hook).map(Hook::Url),
    };
    *way = hook.map(Notify::Webhook);
}

/// Where a webhook may be: an `https://` URL, or an `http://` one of this machine or a private address.
pub fn parse_hook(text: &str) -> Result<String, Invalid> {
    let url = value::parse_web(text)?;
    let Some(rest) = url.strip_prefix("http://") else {
        return Ok(url);
    };
    let (host, _) = host_and_port(rest.split(['/', '?']).next().unwrap_or(""))?;
    match is_private(host) {
        true => Ok(url),
        false => {
            invalid("plain HTTP is for this machine and private addresses only; write https://…")
        }
    }
}

fn user(text: &str) -> Result<String, Invalid> {
    match (1..=254).contains(&text.len()) && !text.chars().any(char::is_control) {
        true => Ok(text.to_owned()),
        false => invalid("a login has 1 to 254 characters"),
    }
}

fn receivers(mail: &mut Mail, at: &mut At<'_, '_>) {
    let Some(items) = at.items("[ops@example.net]", super::acme::mail) else {
        return;
    };
    if at.list("").is_some_and(<[_]>::is_empty) || items.len() > MOST {
        at.error("`to` names nobody, or too many")
            .label(format!("1 to {MOST} addresses"));
    }
    mail.to = items.into_iter().map(|(address, _)| address).collect();
}

fn smtp(way: &mut Option<Notify>, at: &mut At<'_, '_>) {
    let mut mail = Mail::default();
    let fields = row::read_all(at, &SMTP, SMTP_ROWS, &mut mail);
    let place = |key: &str| fields.entry(key).map(|entry| entry.key.span.clone());
    let (user, password) = (place("user"), place("password"));
    let lonely = match (user, password) {
        (Some(at), None) => Some((at, "`user` needs `password`", "add `password: { file: … }`")),
        (None, Some(at)) => Some((at, "`password` needs `user`", "add `user: NAME`")),
        _ => None,
    };
    if let Some((at_key, message, help)) = lonely {
        at.report.error(at_key, message).help(help);
    }
    let Some(mut server) = mail.server else {
        return;
    };
    if server.port == 0 {
        server.port = mail.tls.port();
    }
    if let (Tls::Off, false, Some(node)) = (mail.tls, is_private(&server.host), fields.get("tls")) {
        at.report
            .error(
                node.span.clone(),
                "mail goes out in the clear to this machine or a private address only",
            )
            .label("write starttls or tls");
    }
    let login = mail.user.zip(mail.password);
    *way = Some(Notify::Smtp(Box::new(Smtp {
        server,
        tls: mail.tls,
        from: mail.from,
        to: mail.to,
        login: login.map(|(user, password)| Login { user, password }),
    })));
}

/// Reads what stands behind the key.
pub(in crate::fleet) fn read(all: &mut Vec<Notify>, at: &mut At<'_, '_>) {
    at.each("{ webhook: \"https://alerts.example.net/ostler\" }", |at| {
        let mut way = None;
        let fields = row::read_inner(at, &NOTIFY, ROWS, &mut way);
        let mut said = fields.iter();
        if let (Some(_), Some((_, second))) = (said.next(), said.next()) {
            at.report
                .error(second.key.span.clone(), "one way at a time")
                .help("write a list: `notify: [{ command: […] }, { smtp: { … } }]`");
        } else if fields.is_empty(at.node) {
            at.error("`notify` names no way")
                .label("a `command`, a `webhook` or `smtp`");
        }
        all.extend(way);
    });
    if all.len() > MOST {
        at.error(format!("`notify` names more than {MOST} ways"));
    }
}

/// What is written behind the key.
pub(in crate::fleet) fn write(all: &[Notify]) -> Option<Value> {
    super::several(all, |way| Value::Mapping(row::write(ROWS, way)))
}
