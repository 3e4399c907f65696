//! An order, from the look before it is spent to the certificate on the host.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;

use super::zone;
use crate::acme::{
    Account, Answer as Fetched, Answers, Directory, Doing, Finding, Issued, Kind, Looking, Outlook,
    Proof, Refusal, Wanted, look,
};
use crate::apply::authority::NoAccount;
use crate::apply::host_work::HostWork;
use crate::apply::progress::{Answer, Failure, Say};
use crate::fleet::{Acme, Name};
use crate::host::Toolbox;
use crate::host::router::tls;
use crate::plan::service::certificate::due::{WAIT, next_try};
use crate::record::CertificateRecord;
use crate::record::certificate::{
    Attempt, CertificateFacts, Ending, Renewal, Source, Stored, in_one_line,
};
use crate::record::renewal;
use crate::text::plain_line;

/// How long one order may take.
const ORDER: Duration = Duration::from_secs(300);

/// What is said of an order that did not come to its end.
const BROKEN_OFF: &str = "the last order was broken off";

/// A certificate, and who knows when to renew it.
struct Got {
    issued: Issued,
    directory: Directory,
}

/// How a try ended without a certificate for every name.
struct Short {
    ending: Ending,
    words: BTreeMap<String, String>,
    retry_after: Option<Duration>,
    /// It was tried for this site; else it was known before that it would not go.
    tried: bool,
}

impl Short {
    fn failed(why: String) -> Short {
        Short {
            ending: Ending::Failed,
            words: BTreeMap::from([(String::new(), why)]),
            retry_after: None,
            tried: true,
        }
    }
}

impl From<NoAccount> for Short {
    fn from(none: NoAccount) -> Short {
        Short {
            tried: !none.known,
            ..none.refusal.into()
        }
    }
}

impl From<Refusal> for Short {
    fn from(refusal: Refusal) -> Short {
        Short {
            ending: Ending::Failed,
            words: refusal.words,
            retry_after: refusal.retry_after,
            tried: true,
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
    asked: bool,
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
    let now = Utc::now().timestamp();
    let resting = order.before.attempt.as_ref().filter(|last| {
        let rests = last.ended != Ending::Done && last.not_before > now;
        rests && last.names == *names && !asked
    });
    if let Some(last) = resting {
        let words = in_one_line(&last.words);
        return Ok(Some(format!("somebody tried a moment ago: {words}")));
    }
    if let Some(facts) = order.left_behind().await {
        return order.take_over(facts).await;
    }
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
        Ok(got) => order.keep(got, short).await,
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
    async fn run(&self, short: &mut Option<Short>) -> Result<Got, Short> {
        let work = self.work;
        let (fleet, secrets) = (&work.fleet, work.secrets.as_ref());
        let mut names = self.names.to_vec();
        let zone = zone::of(work, &names).await.map_err(Short::failed)?;
        let proof = match &zone {
            Some(zone) => Proof::Dns(zone),
            None => Proof::Http(&self.answers),
        };
        let directory = work.accounts.directory(fleet, secrets).await?;
        self.say.step("looking whether the names lead here");
        *short = self.look(&directory, &mut names, zone.is_none()).await?;
        self.is_worth_it(&names, short)?;
        let (own, peers) = (&work.toolbox, &work.peers);
        let account = work.accounts.open(own, peers, fleet, secrets).await?;
        self.begin()
            .await
            .map_err(|failure| Short::failed(failure.why))?;
        match self.order(&account, &names, proof).await {
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
                if let Some(before) = short.take() {
                    left.words.extend(before.words);
                }
                *short = Some(left);
                self.is_worth_it(&good, short)?;
                let issued = self.order(&account, &good, proof).await?;
                Ok(Got { issued, directory })
            }
            result => Ok(Got {
                issued: result?,
                directory,
            }),
        }
    }

    /// Whether there would be anything new about a certificate for those names that are left.
    fn is_worth_it(&self, names: &[String], short: &mut Option<Short>) -> Result<(), Short> {
        let Some(stored) = self.before.stored.as_ref().filter(|_| short.is_some()) else {
            return Ok(());
        };
        let now = Utc::now().timestamp();
        let same =
            matches!(&stored.from, Source::Acme { directory } if directory == self.directory);
        let has_all = names.iter().all(|name| stored.facts.covers(name));
        match has_all && same && renewal::renew_at(&self.before, now) > now {
            true => Err(short.take().unwrap_or_else(|| Short::failed(String::new()))),
            false => Ok(()),
        }
    }

    /// Notes that an order begins, as one that was broken off: what cannot be written down is not
    /// ordered, and what is killed in between is not ordered again at once.
    async fn begin(&self) -> Result<(), Failure> {
        let now = Utc::now().timestamp();
        let stored = self.before.stored.as_ref();
        let broken = Short::failed(BROKEN_OFF.to_owned());
        let attempt = self.attempt(&broken, now, stored.map(|it| it.facts.not_after));
        let (work, site) = (self.work, self.site);
        let note = |record: &mut CertificateRecord| record.attempt = Some(attempt);
        work.certificates.change(&work.toolbox, site, note).await
    }

    /// What an order that was broken off put on the host before it could say so.
    async fn left_behind(&self) -> Option<CertificateFacts> {
        let attempt = self.before.attempt.as_ref()?;
        let words = attempt.words.get("").map(String::as_str);
        if words != Some(BROKEN_OFF) || attempt.names != self.names {
            return None;
        }
        let found = tls::on_disk(&self.work.toolbox, &[self.site]).await.ok()?;
        let facts = found.into_values().next()?.ok()?;
        let stored = self.before.stored.as_ref();
        let other = stored.is_none_or(|it| it.facts.fingerprint != facts.fingerprint);
        let young = facts.not_after - Utc::now().timestamp() > facts.life() / 2;
        let all = self.names.iter().all(|name| facts.covers(name));
        (other && young && all).then_some(facts)
    }

    /// Looks at the names as the authority would: those that would fail are taken out of `names` where
    /// some are better than none; else nothing is ordered.
    async fn look(
        &self,
        directory: &Directory,
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
        let identities = directory.caa_identities();
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
        let stored = self.before.stored.as_ref();
        let is_new = |name: &str| stored.is_none_or(|stored| !stored.facts.covers(name));
        let fails = |name: &str, it: &Finding| match it.outlook {
            Outlook::NoAddress | Outlook::Forbidden => true,
            // A name that was proved before may lead elsewhere only as seen from here.
            Outlook::Elsewhere => is_new(name),
            _ => false,
        };
        let bad = found.into_iter().filter(|(name, it)| fails(name, it));
        let bad: BTreeMap<String, Finding> = bad.collect();
        if bad.is_empty() {
            return Ok(None);
        }
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
            tried: true,
        };
        match self.partial && !names.is_empty() {
            true => Ok(Some(short)),
            false => Err(short),
        }
    }

    async fn order(
        &self,
        account: &Account,
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
        account.obtain(&wanted).await
    }

    /// Puts it on the host, with what is known of it.
    async fn keep(&self, got: Got, short: Option<Short>) -> Answer {
        let Got { issued, directory } = got;
        let toolbox = &self.work.toolbox;
        let mut pem = issued.chain.clone().into_bytes();
        pem.extend_from_slice(issued.key.as_bytes());
        let pem = zeroize::Zeroizing::new(pem);
        tls::store(toolbox, self.site, &pem).await?;
        let now = Utc::now().timestamp();
        let window = match &issued.ari {
            // That it makes no suggestion, or not now, is no reason to do without the certificate.
            Some(ari) => directory.renewal(ari).await.ok().flatten(),
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
        let note = short.map(|short| format!("not for all names: {}", in_one_line(&short.words)));
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

    /// Takes what was put there by an order that was broken off.
    async fn take_over(&self, facts: CertificateFacts) -> Answer {
        let now = Utc::now().timestamp();
        let stored = Stored {
            facts,
            from: Source::Acme {
                directory: self.directory.to_owned(),
            },
            ari: None,
            at: now,
        };
        let attempt = self.done(now);
        let work = self.work;
        let note = |record: &mut CertificateRecord| {
            record.stored = Some(stored);
            record.attempt = Some(attempt);
            record.renewal = None;
        };
        work.certificates
            .change(&work.toolbox, self.site, note)
            .await?;
        Ok(Some("the one of an order that was broken off".to_owned()))
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
        let words = in_one_line(&short.words);
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
                let before = last.map_or(0, |last| last.failures);
                let failures = before.saturating_add(u32::from(short.tried));
                (failures, next_try(failures, now, not_after))
            }
        };
        if let Some(wait) = short.retry_after {
            let wait = i64::try_from(wait.as_secs()).unwrap_or(0).min(86_400);
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
