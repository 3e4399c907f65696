//! `ostler init`

use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::args::{EngineArg, InitArgs};
use super::context::Context;
use super::engine::Found;
use super::out::Out;
use super::{Exit, Failure, confirm};
use crate::doctor::look;
use crate::engine::{Client, Gate};
use crate::fleet::service::parse_contact;
use crate::fleet::{self, Acme, Authority, EngineAddress, Invalid, Name, Ports};
use crate::text;

/// Writes a fleet file for the engine it finds, with one site that answers without DNS.
pub async fn run(context: &Context, engine: &EngineArg, args: &InitArgs) -> Result<Exit, Failure> {
    if let Some(file) = args
        .file
        .as_ref()
        .filter(|_| context.global.fleet_by_option)
    {
        return Err(Failure::new("FILE and --fleet both say where to write")
            .help(format!("`ostler init {}` writes there", file.display())));
    }
    let named = args.file.as_ref().or(context.global.fleet.as_ref());
    let path = named.map_or(Path::new("fleet.yml"), |path| path.as_path());
    if path.exists() {
        return Err(exists(path));
    }
    let found = super::engine::here(engine)?;
    let engine = found.address.clone();
    let client = Client::connect_by(&context.network, &engine, Gate::on_call()).await?;
    let taken = look::taken_ports(&client, &engine).await?;
    let holder = |port: u16| taken.iter().find(|(p, _)| *p == port);
    let held = holder(80).or_else(|| holder(443));
    let ports = match held {
        None => Ports::default(),
        Some(_) => free_ports(|port| holder(port).is_some()),
    };
    let host = match found.name() {
        Some(name) => name,
        None => host_name(&engine)?,
    };
    let acme = certificates(args).await?;
    let written = fleet::init_template(&fleet_name(path)?, &host, &engine, ports, acme.as_ref());
    write_new(path, &written)?;

    let out = &context.out;
    let shown = path.display();
    out.line(&format!(
        "{shown}: written for {engine} ({}), Docker {}",
        text::line(&found.by),
        text::line(&client.version().version)
    ))?;
    if let Some((port, who)) = held {
        out.line(&format!(
            "port {port} is held by {who}: the router gets {} and {} instead",
            ports.http, ports.https
        ))?;
    }
    mention_others(out, &found)?;
    let fleet = match path == Path::new("fleet.yml") {
        true => String::new(),
        false => format!(" --fleet {shown}"),
    };
    let at = match ports.http {
        80 => String::new(),
        port => format!(":{port}"),
    };
    out.text(&format!(
        "next:\n  ostler plan{fleet}\n  ostler apply{fleet}\n  curl -H 'Host: blog.localhost' http://{}{at}/\n",
        machine(&engine)
    ))?;
    Ok(Exit::Done)
}

/// Where certificates are to come from, as the options say, or whoever is at the terminal; none: nobody
/// said.
async fn certificates(args: &InitArgs) -> Result<Option<Acme>, Failure> {
    let from = |contact: Vec<String>| {
        let authority = Authority {
            contact,
            ..Authority::default()
        };
        Some(Acme::On(Box::new(authority)))
    };
    match args.acme.as_deref() {
        Some("off") if args.contact.is_some() => {
            return Err(Failure::new("--contact goes with --acme agreed"));
        }
        Some("off") => return Ok(Some(Acme::Off)),
        Some(_) => return Ok(from(args.contact.iter().cloned().collect())),
        None if !std::io::stdin().is_terminal() => return Ok(None),
        None => {}
    }
    let agree = "obtain certificates from Let's Encrypt, and agree to its terms, \
                 https://letsencrypt.org/repository/ ? [y/N] ";
    match confirm::answer(agree.into()).await? {
        None => return Ok(None),
        Some(answer) if confirm::is_yes(&answer) => {}
        Some(_) => return Ok(Some(Acme::Off)),
    }
    let mut question = "a mail address that it may write to, or nothing: ".to_owned();
    loop {
        match confirm::answer(question).await? {
            Some(address) if !address.is_empty() => match parse_contact(&address) {
                Ok(address) => return Ok(from(vec![address])),
                Err(Invalid(why)) => question = format!("{why}; or nothing: "),
            },
            _ => return Ok(from(Vec::new())),
        }
    }
}

/// Where the router of an engine's host answers.
fn machine(engine: &EngineAddress) -> String {
    match engine {
        EngineAddress::Tcp { host, .. } | EngineAddress::Ssh { host, .. } => {
            match host.contains(':') {
                true => format!("[{host}]"),
                false => host.clone(),
            }
        }
        EngineAddress::Unix { .. } | EngineAddress::Sim { .. } => "localhost".into(),
    }
}

/// Engines that Docker knows by other names, which may be wanted as further hosts.
fn mention_others(out: &Out, found: &Found) -> Result<(), Failure> {
    let mut others = super::engine::contexts();
    others.retain(|context| Some(&context.name) != found.context.as_ref());
    if others.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = others
        .iter()
        .map(|context| match context.host.as_str() {
            "" => context.name.clone(),
            host => format!("{} ({host})", context.name),
        })
        .collect();
    out.line(&text::line(&format!(
        "other Docker contexts here, not written: {}; `ostler init --host NAME FILE` writes a file for one",
        list.join(", ")
    )))
}

fn exists(path: &Path) -> Failure {
    Failure::new(format!(
        "{} exists already; nothing was written",
        path.display()
    ))
    .help("`ostler init FILE` writes another one")
}

/// Never over a file that is there, even if it came to be a moment ago.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let mut new = std::fs::OpenOptions::new();
    // One that others can write may not name secrets: whatever new files are given, not that.
    let new = new.write(true).create_new(true).mode(0o644);
    let mut file = match new.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(exists(path));
        }
        Err(error) => {
            return Err(Failure::new(format!(
                "cannot write {}: {error}",
                path.display()
            )));
        }
    };
    file.write_all(text.as_bytes())
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
}

/// The folder's name, as far as it is a name.
fn fleet_name(path: &Path) -> Result<Name, Failure> {
    let folder = std::path::absolute(path).ok();
    let folder = folder
        .as_deref()
        .and_then(Path::parent)
        .and_then(Path::file_name);
    let folder = folder
        .map(|f| f.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let name: String = folder.chars().take(20).collect();
    match name.parse::<Name>() {
        Ok(name) => Ok(name),
        Err(_) => "fleet".parse().map_err(|invalid| Failure::of(&invalid)),
    }
}

/// The machine's name: `local`, or the first label of what the address names.
fn host_name(engine: &EngineAddress) -> Result<Name, Failure> {
    let machine = match engine {
        EngineAddress::Ssh { host, .. } | EngineAddress::Tcp { host, .. } => host.as_str(),
        EngineAddress::Unix { .. } | EngineAddress::Sim { .. } => "local",
    };
    let label = machine.split('.').next().unwrap_or_default().to_lowercase();
    match label.parse::<Name>() {
        // An address such as 10.8.0.2 gives no name.
        Ok(name) if !label.chars().all(|c| c.is_ascii_digit()) => Ok(name),
        _ => "host1".parse().map_err(|invalid| Failure::of(&invalid)),
    }
}

/// 8080 and 8443, or the next pair that nobody holds.
fn free_ports(taken: impl Fn(u16) -> bool) -> Ports {
    let pairs = (0..100).map(|n| Ports {
        http: 8080 + n,
        https: 8443 + n,
    });
    let mut free = pairs.filter(|p| !taken(p.http) && !taken(p.https));
    free.next().unwrap_or(Ports {
        http: 8080,
        https: 8443,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_from_what_is_there() {
        let host = |engine: &str| host_name(&engine.parse().unwrap()).unwrap().to_string();
        assert_eq!(host("unix:///var/run/docker.sock"), "local");
        assert_eq!(host("ssh://ops@Web1.example.net"), "web1");
        assert_eq!(host("tcp://10.8.0.2:2376"), "host1");
        assert_eq!(
            fleet_name(Path::new("/srv/chatons/fleet.yml"))
                .unwrap()
                .as_str(),
            "chatons"
        );
        assert_eq!(
            fleet_name(Path::new("/srv/My Fleet/fleet.yml"))
                .unwrap()
                .as_str(),
            "fleet"
        );
    }

    #[test]
    fn ports_are_the_first_free_pair() {
        let pair = free_ports(|port| port == 8080 || port == 8444);
        assert_eq!((pair.http, pair.https), (8082, 8445));
    }
}
