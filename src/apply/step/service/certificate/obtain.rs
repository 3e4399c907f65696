//! An order, from the look before it is spent to the certificate on the host.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;

use super::zone;
use crate::acme::{
    Answer as Fetched, Answers, Doing, Finding, Issued, Kind, Looking, Outlook, Proof, Refusal,
    Wanted, look,
};
use crate::apply::authority::{Open, keep, of_file};
use crate::apply::host_work::HostWork;
use crate::apply::progress::{Answer, Failure, Say};
use crate::fleet::{Acme, Name};
use crate::host::Toolbox;
use crate::host::router::tls;
use crate::plan::service::certificate::due::{WAIT, next_try};
use crate::record::CertificateRecord;
use crate::record::certificate::{Attempt, Ending, Renewal, Source, Stored};
use crate::text::plain_line;

/// How long one order may take.
const ORDER: Duration = Duration::from_secs(300);

/// How a try ended without a certificate for every name.
struct Short {
    ending: Ending,
    words: BTreeMap<String, String>,
    retry_after: Option<Duration>,
}

impl Short {
    fn failed(why: String) -> Short {
        Short {
            ending: Ending::Failed,
            words: BTreeMap::from([(String::new(), why)]),
            retry_after: None,
        }
    }
}

impl From<Refusal> for Short {
    fn from(refusal: Refusal) -> Short {
        Short {
            ending: Ending::Failed,
            words: refusal.words,
            retry_after: refusal.retry_after,
        }
    }
}

/// What an order is about.
struct Order<'a> {
    work: &'a HostWork,
    site: &'a Name,
    names: &'a [String],
    directory: &'a str,
    partial: bool,
    say: &'a Say,
    before: CertificateRecord,
    answers: Router<'a>,
}

/// Gets a certificate and puts it on the host; notes how it ended. What it is for already goes on being
/// served whatever happens.
pub(super) async fn obtain(
    work: &HostWork,
    site: &Name,
    names: &[String],
    directory: &str,
    partial: bool,
    say: &Say,
) -> Answer {
    let order = Order {
        work,
        site,
        names,
        directory,
        partial,
        say,
        before: work.certificates.record(&work.toolbox, site).await?,
        answers: Router {
            toolbox: &work.toolbox,
            presented: Mutex::default(),
        },
    };
    order.clear().await;
    let mut short = None;
    let got = tokio::select! {
        got = order.run(&mut short) => Some(got),
        () = work.cancel.cancelled() => None,
    };
    let Some(got) = got else {
        order.answers.take_away().await;
        return Err(Failure::new("cancelled"));
    };
    match got {
        Ok((issued, open)) => order.keep(issued, open, short).await,
        Err(short) => order.note(short).await,
    }
}

impl Order<'_> {
    /// Takes away what an order of a process that was killed left in the router. This run has the
    /// host's lock, so that none of them is of one that goes on; done once, before its own first one.
    async fn clear(&self) {
        let work = self.work;
        let once = work.challenges_cleared.get_or_init(|| async {
            if let Ok(left) = tls::challenges(&work.toolbox).await {
                let left = left.iter().map(String::as_str);
                let _ = tls::no_challenge(&work.toolbox, left).await;
            }
        });
        once.await;
    }

    /// Looks, orders; a second time without the names that did not go, where some are better than none.
    async fn run(&self, short: &mut Option<Short>) -> Result<(Issued, Open), Short> {
        let authority = of_file(&self.work.fleet, self.work.secrets.as_ref(), true)
            .await
            .map_err(Short::failed)?;
        let mut names = self.names.to_vec();
        let zone = zone::of(self.work, &names).await.map_err(Short::failed)?;
        let proof = match &zone {
            Some(zone) => Proof::Dns(zone),
            None => Proof::Http(&self.answers),
        };
        let (own, peers) = (&self.work.toolbox, &self.work.peers);
        let open = self.work.accounts.open(own, peers, &authority).await?;
        self.say.step("looking whether the names lead here");
        *short = self.look(&open, &mut names, zone.is_none()).await?;
        match self.order(&open, &names, proof).await {
            Err(refusal) if self.partial && refusal.kind == Kind::Names => {
                let bad: BTreeSet<String> = refusal.words.keys().cloned().collect();
                let good: Vec<String> = names
                    .iter()
                    .filter(|it| !bad.contains(*it))
                    .cloned()
                    .collect();
                if good.is_empty() || good.len() == names.len() {
                    return Err(refusal.into());
                }
                let mut left = Short::from(refusal);
                let issued = self.order(&open, &good, proof).await.map_err(Short::from)?;
                if let Some(before) = short.take() {
                    left.words.extend(before.words);
                }
                *short = Some(left);
                Ok((issued, open))
            }
            result => Ok((result?, open)),
        }
    }

    /// Looks at the names as the authority would: those that would fail are taken out of `names` where
    /// some are better than none; else nothing is ordered.
    async fn look(
        &self,
        open: &Open,
        names: &mut Vec<String>,
        by_http: bool,
    ) -> Result<Option<Short>, Short> {
        let marker = marker().map_err(Short::failed)?;
        let Some(Acme::On(authority)) = &self.work.fleet.acme else {
            return Ok(None);
        };
        let given = [marker];
        if by_http {
            self.answers.present(&given).await.map_err(Short::failed)?;
        }
        let identities = open.directory.caa_identities();
        let looking = Looking {
            resolver: authority.resolver,
            port: authority.port,
            marker: by_http.then_some(&given[0]),
            identities: &identities,
        };
        let found = look(names, &looking).await;
        if by_http {
            // What cannot be taken away now, the next order takes.
            let _ = self.answers.withdraw(&given).await;
        }
        // From here not all is seen that an authority sees: what does not answer here may answer there.
        let fails = |it: &Finding| {
            let sure = [Outlook::NoAddress, Outlook::Elsewhere, Outlook::Forbidden];
            sure.contains(&it.outlook)
        };
        let bad: BTreeMap<String, Finding> =
            found.into_iter().filter(|(_, it)| fails(it)).collect();
        if bad.is_empty() {
            return Ok(None);
        }
        let stored = self.before.stored.as_ref();
        let is_new = |name: &str| stored.is_none_or(|stored| !stored.facts.covers(name));
        let waits = bad.iter().all(|(name, it)| it.waits() && is_new(name));
        names.retain(|name| !bad.contains_key(name));
        let short = Short {
            ending: if waits {
                Ending::Waiting
            } else {
                Ending::Failed
            },
            words: bad.into_iter().map(|(name, it)| (name, it.words)).collect(),
            retry_after: None,
        };
        match self.partial && !names.is_empty() {
            true => Ok(Some(short)),
            false => Err(short),
        }
    }

    async fn order(
        &self,
        open: &Open,
        names: &[String],
        proof: Proof<'_>,
    ) -> Result<Issued, Refusal> {
        let say = |words: &str| self.say.step(words);
        let stored = self.before.stored.as_ref();
        let wanted = Wanted {
            names,
            replaces: stored.and_then(|stored| stored.ari.as_deref()),
            proof,
            deadline: ORDER,
            say: &say,
        };
        open.account.obtain(&wanted).await
    }

    /// Puts it on the host, with what is known of it.
    async fn keep(&self, issued: Issued, open: Open, short: Option<Short>) -> Answer {
        let toolbox = &self.work.toolbox;
        let mut pem = issued.chain.clone().into_bytes();
        pem.extend_from_slice(issued.key.as_bytes());
        let pem = zeroize::Zeroizing::new(pem);
        tls::store(toolbox, self.site, &pem).await?;
        keep(&open, toolbox).await?;
        let now = Utc::now().timestamp();
        let window = match &issued.ari {
            // That it makes no suggestion, or not now, is no reason to do without the certificate.
            Some(ari) => open.directory.renewal(ari).await.ok().flatten(),
            None => None,
        };
        let fingerprint = issued.facts.fingerprint.clone();
        let stored = Stored {
            facts: issued.facts,
            from: Source::Acme {
                directory: self.directory.to_owned(),
            },
            ari: issued.ari,
            at: now,
        };
        let attempt = match &short {
            Some(short) => self.attempt(short, now, Some(stored.facts.not_after)),
            None => self.done(now),
        };
        let note = short.map(|short| format!("not for all names: {}", in_words(&short.words)));
        self.work
            .certificates
            .change(toolbox, self.site, |record| {
                record.stored = Some(stored);
                record.attempt = Some(attempt);
                record.renewal = window.map(|window| Renewal {
                    fingerprint,
                    start: window.start,
                    end: window.end,
                    again: window.again,
                });
            })
            .await?;
        Ok(note)
    }

    /// Notes that there is none, and when it is tried again.
    async fn note(&self, short: Short) -> Answer {
        let now = Utc::now().timestamp();
        let stored = self.before.stored.as_ref();
        let attempt = self.attempt(&short, now, stored.map(|it| it.facts.not_after));
        let again = crate::text::age_in_words(attempt.not_before - now);
        let toolbox = &self.work.toolbox;
        self.work
            .certificates
            .change(toolbox, self.site, |record| record.attempt = Some(attempt))
            .await?;
        let words = in_words(&short.words);
        match short.ending {
            Ending::Waiting => Ok(Some(format!("waits: {words}"))),
            _ => {
                let remedy = format!("tried again in {again}, by `ostler tend` or an apply");
                Err(Failure::new(words).remedy(remedy))
            }
        }
    }

    fn done(&self, now: i64) -> Attempt {
        Attempt {
            at: now,
            ended: Ending::Done,
            names: self.names.to_vec(),
            failures: 0,
            not_before: 0,
            words: BTreeMap::new(),
        }
    }

    fn attempt(&self, short: &Short, now: i64, not_after: Option<i64>) -> Attempt {
        let last = self.before.attempt.as_ref();
        let last = last.filter(|last| last.ended == Ending::Failed && last.names == self.names);
        let (failures, mut not_before) = match short.ending {
            Ending::Waiting => (0, now + WAIT),
            _ => {
                let failures = last.map_or(0, |last| last.failures).saturating_add(1);
                (failures, next_try(failures, now, not_after))
            }
        };
        if let Some(wait) = short.retry_after {
            let wait = i64::try_from(wait.as_secs()).unwrap_or(0).min(7 * 86_400);
            not_before = not_before.max(now + wait);
        }
        let known = |name: &String| name.is_empty() || self.names.contains(name);
        let mut words = short.words.clone();
        words.retain(|name, _| known(name));
        for words in words.values_mut() {
            *words = CertificateRecord::words(words);
        }
        Attempt {
            at: now,
            ended: short.ending,
            names: self.names.to_vec(),
            failures,
            not_before,
            words,
        }
    }
}

/// What nobody but our router answers.
fn marker() -> Result<Fetched, String> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    let (token, body) = bytes.split_at(12);
    let token = format!("ostler-{}", hex::encode(token));
    Ok(Fetched {
        body: format!("{token}.{}", hex::encode(body)),
        token,
    })
}

/// What was said of each name, in one line.
fn in_words(words: &BTreeMap<String, String>) -> String {
    let each = words.iter().map(|(name, words)| match name.as_str() {
        "" => words.clone(),
        name => format!("{name}: {words}"),
    });
    each.collect::<Vec<_>>().join("; ")
}

/// The router's answers to what the authority fetches.
struct Router<'a> {
    toolbox: &'a Toolbox,
    /// Tokens that it was told.
    presented: Mutex<BTreeSet<String>>,
}

impl Router<'_> {
    fn presented(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.presented
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes away what nobody waits for any more.
    async fn take_away(&self) {
        let left: Vec<String> = self.presented().iter().cloned().collect();
        // What cannot be told now, the next order finds.
        let _ = tls::no_challenge(self.toolbox, left.iter().map(String::as_str)).await;
    }
}

impl Answers for Router<'_> {
    fn present<'a>(&'a self, answers: &'a [Fetched]) -> Doing<'a> {
        Box::pin(async move {
            let all = answers.iter();
            let all: BTreeMap<_, _> = all.map(|it| (it.token.clone(), it.body.clone())).collect();
            self.presented().extend(all.keys().cloned());
            let told = tls::challenge(self.toolbox, &all).await;
            told.map_err(|error| plain_line(&error.to_string()))
        })
    }

    fn withdraw<'a>(&'a self, answers: &'a [Fetched]) -> Doing<'a> {
        Box::pin(async move {
            let tokens = answers.iter().map(|it| it.token.as_str());
            let told = tls::no_challenge(self.toolbox, tokens).await;
            told.map_err(|error| plain_line(&error.to_string()))
        })
    }
}
