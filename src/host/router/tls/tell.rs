//! Bringing the running process to what is wanted of certificates.

use std::collections::{BTreeMap, BTreeSet};

use super::super::runtime::{NO_MAP, answers, parse_map, script, show_map, word};
use super::super::{RouterError, absolute, ask};
use super::loaded::{self, LoadedCertificate, SHOW_FILES, read_shown, show, show_list};
use super::{Certificates, files, on_disk, redirected};
use crate::fleet::Name;
use crate::host::script::LOAD_CERTIFICATES;
use crate::host::toolbox::Toolbox;
use crate::record::certificate::{CertificateFacts, LARGEST};
use crate::record::layout::{Layout, ROUTER_SOCKET, RUN};
use crate::text::{plain_line, short};

/// Certificates that are loaded by one run of the script.
const TOGETHER: usize = 64;

/// A certificate that the router does not serve although it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub site: Name,
    /// Why: what HAProxy said, or what is wrong with the file.
    pub words: String,
}

/// What came of telling the router.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// Sites whose certificates were read again and loaded.
    pub loaded: Vec<Name>,
    pub refused: Vec<Refused>,
}

/// Brings files and running process to what is wanted, by as few changes as possible: a certificate that
/// is renewed is changed in one step, one that comes is there before anybody is led to it, one that goes
/// is there until nobody is. Done again it changes nothing.
///
/// The files of the sites in `changed`, and of those that the process lacks, are read again and loaded
/// where they are not what the process has. A file that is refused changes nothing for its site: what the
/// process had of it stays, and nobody is led to https for its sake. Says which those are; the caller
/// tells it the former state of these sites then, since what was refused is in the router's files.
///
/// # Errors
/// The toolbox, also where no router runs: it reads the files at its start. What the process has
/// afterwards is not what was wanted.
pub async fn serve(
    toolbox: &Toolbox,
    wanted: &Certificates,
    changed: &BTreeSet<Name>,
) -> Result<Told, RouterError> {
    let layout = &toolbox.layout;
    let files = absolute(toolbox, files(layout, wanted)?);
    let closely: Vec<&Name> = changed
        .iter()
        .filter(|site| wanted.contains_key(*site))
        .collect();
    let questions = questions(layout, &closely);
    // Looking changes nothing: all of it at once.
    let (written, answers, found) = futures_util::join!(
        toolbox.replace(&files),
        ask(toolbox, &questions),
        on_disk(toolbox, &closely)
    );
    written?;
    let seen = Seen::read(layout, &closely, &answers?)?;
    let mut found = found?;
    let lacking = wanted.keys().filter(|site| !found.contains_key(*site));
    let lacking: Vec<&Name> = lacking
        .filter(|site| !seen.lists(&layout.certificate(site)))
        .collect();
    found.append(&mut on_disk(toolbox, &lacking).await?);

    let mut refused = Vec::new();
    let mut good: BTreeMap<&Name, &CertificateFacts> = BTreeMap::new();
    for (site, facts) in &found {
        let told = wanted.get(site).map(|served| served.fingerprint.as_str());
        let words = match facts {
            Ok(facts) if told == Some(&facts.fingerprint) => {
                good.insert(site, facts);
                continue;
            }
            Ok(_) => "its file holds another certificate than was stored for it".to_owned(),
            Err(why) => why.clone(),
        };
        refused.push(Refused {
            site: site.clone(),
            words,
        });
    }
    let load: Vec<Load> = good
        .iter()
        .filter_map(|(site, facts)| Load::of(layout, &seen, site, facts))
        .collect();
    make(toolbox, wanted, seen, &good, (load, refused)).await
}

/// Loads, then has everybody led where they should be, and reads back what the process has: in one
/// question each.
async fn make(
    toolbox: &Toolbox,
    wanted: &Certificates,
    mut seen: Seen,
    good: &BTreeMap<&Name, &CertificateFacts>,
    (load, mut refused): (Vec<Load>, Vec<Refused>),
) -> Result<Told, RouterError> {
    let layout = &toolbox.layout;
    let sites: Vec<&Name> = good.keys().copied().collect();
    let questions = questions(layout, &sites);
    let mut made = !load.is_empty();
    let mut begun: Vec<Name> = load.iter().map(|load| load.site.clone()).collect();
    let chunks = load.chunks(TOGETHER);
    let last = chunks.len();
    for (at, some) in chunks.enumerate() {
        let then = if at + 1 == last { &questions[..] } else { &[] };
        let (bad, answers) = carry_out(toolbox, &seen, some, then).await?;
        refused.extend(bad);
        if !then.is_empty() {
            seen = Seen::read(layout, &sites, &answers)?;
        }
    }
    let mut left = seen.leave(layout, wanted, &refused)?;
    if !left.is_empty() {
        made = true;
        let asked = left.len();
        left.extend(questions);
        // A file that somebody still uses stays for that long: what matters is read back.
        let answers = ask(toolbox, &left).await?;
        seen = Seen::read(layout, &sites, &answers[asked..])?;
    }
    if made {
        seen.verify(layout, wanted, good, &refused)?;
    }
    begun.retain(|site| !refused.iter().any(|it| it.site == *site));
    Ok(Told {
        loaded: begun,
        refused,
    })
}

/// What the process has, as far as it matters for a change.
struct Seen {
    /// The name of its list.
    list: String,
    /// Files in the list, with their numbers.
    entries: Vec<(String, String)>,
    /// All files that it knows.
    known: BTreeSet<String>,
    /// The file about which somebody left a change open.
    open: Option<String>,
    /// The name of the map of https and its keys; `None`: it is of an earlier version and has none.
    redirected: Option<(String, BTreeSet<String>)>,
    certificates: BTreeMap<String, LoadedCertificate>,
}

/// The commands whose answers are what matters, with the certificates of some sites.
fn questions(layout: &Layout, closely: &[&Name]) -> Vec<String> {
    let mut commands = vec![SHOW_FILES.to_owned()];
    commands.extend(loaded::maps(layout).iter().map(|map| show_map(map)));
    commands.extend(loaded::lists(layout).iter().map(|list| show_list(list)));
    let files = closely.iter().map(|site| layout.certificate(site));
    commands.extend(files.map(|file| show(&file)));
    commands
}

impl Seen {
    /// From the answers to [`questions`].
    fn read(layout: &Layout, closely: &[&Name], answers: &[String]) -> Result<Seen, RouterError> {
        let (lists, maps) = (loaded::lists(layout), loaded::maps(layout));
        let [files, first, second, rest @ ..] = answers else {
            return Err(RouterError::Differs {
                difference: SHOW_FILES.to_owned(),
            });
        };
        let (known, open) = loaded::files(files);
        let mut there = maps.into_iter().zip([first, second]);
        let redirected = match there.find(|(_, answer)| !answer.starts_with(NO_MAP)) {
            None => None,
            Some((map, answer)) => {
                let keys = parse_map(&map, answer)?.into_iter().map(|(key, _)| key);
                let keys = keys.collect();
                Some((map, keys))
            }
        };
        let (of_lists, of_files) = rest.split_at(lists.len().min(rest.len()));
        let mut entries = lists.into_iter().zip(of_lists);
        let found = entries.find_map(|(list, answer)| Some((list, loaded::list(answer)?)));
        let Some((list, entries)) = found else {
            return Err(RouterError::Differs {
                difference: "it has no list of certificates; restart it".into(),
            });
        };
        let mut certificates = BTreeMap::new();
        let files = closely.iter().map(|site| layout.certificate(site));
        for (file, answer) in files.zip(of_files) {
            if let Some(found) = read_shown(&file, answer)? {
                certificates.insert(file, found);
            }
        }
        Ok(Seen {
            list,
            entries,
            known: known.into_iter().collect(),
            open,
            redirected,
            certificates,
        })
    }

    /// Whether it is what was wanted.
    fn verify(
        &self,
        layout: &Layout,
        wanted: &Certificates,
        good: &BTreeMap<&Name, &CertificateFacts>,
        refused: &[Refused],
    ) -> Result<(), RouterError> {
        let differs = |difference: String| Err(RouterError::Differs { difference });
        for (site, facts) in good {
            let file = layout.certificate(site);
            let has = self.certificates.get(&file).filter(|_| self.lists(&file));
            let bad = refused.iter().any(|it| it.site == **site);
            if !bad && !has.is_some_and(|has| has.is(facts)) {
                return differs(format!("it does not serve the certificate of {site}"));
            }
        }
        // A file in use goes later; of one that is refused there may be nothing to go.
        let left = self.leave(layout, wanted, refused)?;
        let mut left = left
            .into_iter()
            .filter(|it| !it.starts_with("del ssl cert "));
        left.next().map_or(Ok(()), differs)
    }

    fn lists(&self, file: &str) -> bool {
        self.entries.iter().any(|(listed, _)| listed == file)
    }

    /// The commands after which nothing is left that is not wanted, and everybody is led to https who
    /// should be. Domains of sites whose certificate was refused stay as they are.
    fn leave(
        &self,
        layout: &Layout,
        wanted: &Certificates,
        refused: &[Refused],
    ) -> Result<Vec<String>, RouterError> {
        let mut commands = Vec::new();
        let all = redirected(wanted)?;
        let stays = |domain: &str| {
            let mut sites = refused.iter().filter_map(|it| wanted.get(&it.site));
            sites.any(|served| served.redirected.contains(domain))
        };
        if let Some((map, now)) = &self.redirected {
            let map = word(map);
            let new = all
                .iter()
                .filter(|domain| !now.contains(**domain) && !stays(domain));
            commands.extend(new.map(|domain| format!("add map {map} {domain} redirect")));
            let gone = now.iter().filter(|domain| !all.contains(domain.as_str()));
            commands.extend(gone.map(|domain| format!("del map {map} {}", word(domain))));
        }
        let default = format!("{}/default.pem", layout.certs());
        let ours: BTreeSet<String> = wanted.keys().map(|site| layout.certificate(site)).collect();
        let keep = |file: &str| file == default || ours.contains(file);
        let mut before = BTreeSet::new();
        let list = word(&self.list);
        for (file, number) in &self.entries {
            if !keep(file) || !before.insert(file) {
                let entry = word(&format!("{file}:{number}"));
                commands.push(format!("del ssl crt-list {list} {entry}"));
            }
        }
        let gone = self.known.iter().filter(|file| !keep(file));
        commands.extend(gone.map(|file| format!("del ssl cert {}", word(file))));
        // What was begun for a refused one, and nobody is shown.
        for refused in refused {
            let file = layout.certificate(&refused.site);
            if self.known.contains(&file) && !self.lists(&file) {
                commands.push(format!("del ssl cert {}", word(&file)));
            }
        }
        Ok(commands)
    }
}

/// A file to be loaded.
struct Load {
    site: Name,
    file: String,
    /// The process does not know the name yet.
    new: bool,
    /// It is in no list yet.
    unlisted: bool,
}

impl Load {
    /// `None`: the process has it.
    fn of(layout: &Layout, seen: &Seen, site: &Name, facts: &CertificateFacts) -> Option<Load> {
        let file = layout.certificate(site);
        let (listed, loaded) = (seen.lists(&file), seen.certificates.get(&file));
        match listed && loaded.is_some_and(|loaded| loaded.is(facts)) {
            true => None,
            false => Some(Load {
                site: site.clone(),
                new: !seen.known.contains(&file),
                unlisted: !listed,
                file,
            }),
        }
    }

    /// Commands, each with what its answer says when it was carried out, if that matters.
    fn commands(&self, list: &str) -> Vec<(String, Option<&'static str>)> {
        let (file, list) = (word(&self.file), word(list));
        let mut commands = Vec::new();
        if self.new {
            commands.push((format!("new ssl cert {file}"), Some("New empty")));
        }
        // What follows is put there on the host.
        commands.push((format!("set ssl cert {file} <<"), Some("Transaction ")));
        commands.push((format!("commit ssl cert {file}"), Some("Success!")));
        // Nothing of it stays where it was refused: another one could not be begun.
        commands.push((format!("abort ssl cert {file}"), None));
        if self.unlisted {
            commands.push((format!("add ssl crt-list {list} {file}"), Some("Success!")));
        }
        commands
    }
}

/// Loads some files, whose bytes do not leave the host; says which were refused, and the answers to
/// what is asked then.
async fn carry_out(
    toolbox: &Toolbox,
    seen: &Seen,
    load: &[Load],
    then: &[String],
) -> Result<(Vec<Refused>, Vec<String>), RouterError> {
    let mut commands = Vec::new();
    let mut expected = Vec::new();
    if let Some(open) = &seen.open {
        commands.push(format!("abort ssl cert {}", word(open)));
        expected.push((None, None));
    }
    for one in load {
        for (command, success) in one.commands(&seen.list) {
            commands.push(command);
            expected.push((Some(&one.site), success));
        }
    }
    commands.extend_from_slice(then);
    let most = LARGEST.to_string();
    let former = toolbox.layout.former_run();
    let args = [most.as_str(), ROUTER_SOCKET, RUN, &former];
    let stdin = Some(script(&commands));
    let output = toolbox.run(&LOAD_CERTIFICATES, &args, stdin).await?;
    let mut answers = answers(&output, commands.len())?;
    let asked = answers.split_off(expected.len());
    let mut refused: Vec<Refused> = Vec::new();
    for ((site, success), answer) in expected.into_iter().zip(answers) {
        let (Some(site), Some(success)) = (site, success) else {
            continue;
        };
        // What follows a refusal says no more.
        let said = refused.iter().any(|it| it.site == *site);
        if !answer.contains(success) && !said {
            let site = site.clone();
            let words = short(&plain_line(&answer), 300);
            refused.push(Refused { site, words });
        }
    }
    Ok((refused, asked))
}
