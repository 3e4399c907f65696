//! One order, from the names to the certificate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use instant_acme::{
    AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier, NewOrder, Order,
    OrderStatus, Problem,
};
use tokio::time::{sleep, timeout};

use super::account::{Account, again};
use super::issued::{Issued, Request};
use super::proof::{Answer, Given, Proof, is_token};
use super::refusal::{Kind, Refusal, said};
use super::told::{Told, short_type};
use crate::record::certificate::NAMES;

/// How long an order is let alone before it is looked at again: at first, and at most where the
/// authority does not ask for more.
const FIRST: Duration = Duration::from_millis(200);
const MOST: Duration = Duration::from_secs(5);
/// How long answers may take to be put in their place, or away.
const HANDS: Duration = Duration::from_secs(120);

/// States of an order while the authority looks at the names, and while it signs.
const BEFORE: [OrderStatus; 2] = [OrderStatus::Pending, OrderStatus::Processing];
const AFTER: [OrderStatus; 3] = [
    OrderStatus::Pending,
    OrderStatus::Ready,
    OrderStatus::Processing,
];

/// What is wanted of an authority.
pub struct Wanted<'a> {
    /// Host names, lower case; `*.` may stand before one.
    pub names: &'a [String],
    /// By [`ari`](super::ari) the certificate that this one takes the place of: an authority may
    /// then let it pass its limits.
    pub replaces: Option<&'a str>,
    pub proof: Proof<'a>,
    /// How long all of it may take, but for what is taken away at the end.
    pub deadline: Duration,
    /// Hears what is done now, in words.
    pub say: &'a (dyn Fn(&str) + Send + Sync),
}

impl Account {
    /// Gets a certificate. What was put in its place for it is taken away again, however it ends;
    /// only when the future is dropped before its end is it left, for [`Answers`](super::Answers)
    /// to find.
    ///
    /// # Errors
    /// There is none: [`Kind::Names`] has the authority's words for each name that was not proven.
    pub async fn obtain(&self, wanted: &Wanted<'_>) -> Result<Issued, Refusal> {
        wanted.check()?;
        let given = Mutex::new(Vec::new());
        let step = Mutex::new("it was not asked yet");
        // Also when nobody waits for the end any more.
        let _forget = Forget(wanted.proof, &given);
        let run = Run {
            account: self,
            wanted,
            given: &given,
            step: &step,
        };
        let result = match timeout(wanted.deadline, run.whole()).await {
            Ok(result) => result,
            Err(_) => {
                let seconds = wanted.deadline.as_secs();
                let step = *lock(&step);
                let why = format!("no certificate within {seconds} s: {step}");
                Err(Refusal::of(Kind::Away, why))
            }
        };
        let given = lock(&given).clone();
        if !given.is_empty() {
            (wanted.say)("taking the answers away");
            let away = wanted.proof.withdraw(&given);
            let away = timeout(HANDS, away).await;
            if let Err(why) = away.unwrap_or_else(|_| Err("it takes too long".into())) {
                (wanted.say)(&format!("the answers were not taken away: {why}"));
            }
        }
        result
    }
}

impl Wanted<'_> {
    /// What no authority would take.
    fn check(&self) -> Result<(), Refusal> {
        let refuse = |words: &str| Err(Refusal::of(Kind::Settings, words));
        let distinct: BTreeSet<&String> = self.names.iter().collect();
        if self.names.is_empty() || distinct.len() < self.names.len() {
            return refuse("a certificate is for one name or several different ones");
        }
        if self.names.len() > NAMES {
            return refuse(&format!("a certificate is for at most {NAMES} names"));
        }
        let wild = self.names.iter().find(|name| name.starts_with("*."));
        match wild {
            Some(name) if !self.proof.takes_wildcards() => Err(Refusal::about(
                Kind::Settings,
                name,
                "authorities prove a name with * by DNS only (DNS-01): say where its zone is changed (dns)",
            )),
            _ => Ok(()),
        }
    }
}

/// Lets go what an order held, however it ends.
struct Forget<'a>(Proof<'a>, &'a Mutex<Vec<Given>>);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.forget(&lock(self.1));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An order that is on its way.
struct Run<'a> {
    account: &'a Account,
    wanted: &'a Wanted<'a>,
    /// What was put in its place, or is about to be.
    given: &'a Mutex<Vec<Given>>,
    /// What is waited for, for when there is no time left.
    step: &'a Mutex<&'static str>,
}

impl Run<'_> {
    fn step(&self, doing: &str, waiting: &'static str) {
        *lock(self.step) = waiting;
        (self.wanted.say)(doing);
    }

    async fn whole(&self) -> Result<Issued, Refusal> {
        let names = self.wanted.names;
        self.step("ordering", "the authority took no order");
        let mut order = self.order().await?;
        let given = self.challenges(&mut order).await?;
        if !given.is_empty() {
            *lock(self.given) = given.clone();
            self.step("answering", "the answers were not put in their place");
            let present = timeout(HANDS, self.wanted.proof.present(&given));
            let present = present.await;
            present
                .unwrap_or_else(|_| Err("it takes too long".into()))
                .map_err(|why| Refusal::of(Kind::Other, why))?;
            self.step(
                "being looked at",
                "the authority did not end looking at the names",
            );
            self.ready(&mut order).await?;
        }
        match self.settled(&mut order, &BEFORE).await {
            Ok(OrderStatus::Ready) => {}
            Ok(_) => return Err(self.unproven(order).await),
            Err(error) => return Err(error.into()),
        }
        self.step("finalizing", "the authority did not sign");
        let request = Request::new(names)?;
        again!(order.finalize_csr(&request.der))?;
        if self.settled(&mut order, &AFTER).await? != OrderStatus::Valid {
            return Err(self.unproven(order).await);
        }
        let chain = again!(order.certificate())?;
        let chain = chain.ok_or_else(|| Refusal::of(Kind::Away, "the authority did not sign"))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_secs());
        request.issued(&chain, names, i64::try_from(now).unwrap_or(i64::MAX))
    }

    /// A new order. What it replaces is left out where the authority does not take that: another
    /// order replaced it already, or it knows nothing of it.
    async fn order(&self) -> Result<Order, Refusal> {
        let names = self.wanted.names.iter();
        let names: Vec<Identifier> = names.map(|name| Identifier::Dns(name.clone())).collect();
        let acme = &self.account.acme;
        let directory = &self.account.directory;
        let plain = || match &directory.authority.profile {
            Some(profile) => NewOrder::new(&names).profile(profile),
            None => NewOrder::new(&names),
        };
        let replaces = self.wanted.replaces.and_then(|name| name.split_once('.'));
        if let Some((issuer, serial)) = replaces
            && directory.said.renewal_info.is_some()
        {
            let replaced = CertificateIdentifier {
                authority_key_identifier: issuer.into(),
                serial: serial.into(),
            };
            let order = plain().replaces(replaced);
            match again!(acme.new_order(&order)) {
                Err(error) if is_about_replacing(&error) => {}
                order => return Ok(order?),
            }
        }
        Ok(again!(acme.new_order(&plain()))?)
    }

    /// What is to be put in its place: for each name that is not proven from before.
    async fn challenges(&self, order: &mut Order) -> Result<Vec<Given>, Refusal> {
        let kind = self.wanted.proof.challenge();
        let mut given = Vec::new();
        for at in 0..order.state().authorizations.len() {
            again!(fetch(order, at))?;
            let mut all = order.authorizations();
            let mut authorization = nth(&mut all, at).await?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            let full = authorization.identifier().to_string();
            let name = full.strip_prefix("*.").unwrap_or(&full).to_owned();
            let Some(challenge) = authorization.challenge(kind.clone()) else {
                let why = format!(
                    "the authority does not let this name be proven by {}",
                    word(&kind)
                );
                return Err(Refusal::about(Kind::Names, &full, why));
            };
            if !is_token(&challenge.token) {
                let why = "the authority sent a token that is none";
                return Err(Refusal::about(Kind::Other, &full, why));
            }
            let authorization = challenge.key_authorization();
            given.push(Given {
                name,
                answer: Answer {
                    token: challenge.token.clone(),
                    body: authorization.as_str().to_owned(),
                },
                digest: authorization.dns_value(),
            });
        }
        Ok(given)
    }

    /// Tells the authority that it may look.
    async fn ready(&self, order: &mut Order) -> Result<(), Refusal> {
        let kind = self.wanted.proof.challenge();
        for at in 0..order.state().authorizations.len() {
            // What it says against a name is asked for when it has looked at all.
            match again!(ready(order, at, &kind)) {
                Ok(()) | Err(Error::Api(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Waits until the authority has done what it was asked to: until the order is `before` no more.
    async fn settled(
        &self,
        order: &mut Order,
        before: &[OrderStatus],
    ) -> Result<OrderStatus, Error> {
        let mut wait = FIRST;
        loop {
            let status = order.state().status;
            if !before.contains(&status) {
                return Ok(status);
            }
            let later = self.account.directory.http.later(order.url());
            sleep(later.unwrap_or_default().max(wait)).await;
            wait = (wait * 3 / 2).min(MOST);
            again!(refresh(order))?;
        }
    }

    /// The authority's words for each name that it did not find proven.
    async fn unproven(&self, order: Order) -> Refusal {
        let url = order.url().to_owned();
        let words = match again!(self.account.acme.order(url.clone())) {
            Ok(mut order) => {
                let mut words = BTreeMap::new();
                for at in 0..order.state().authorizations.len() {
                    match again!(fetch(&mut order, at)) {
                        Ok(()) => words.extend(failed(&mut order, at).await),
                        Err(error) => return error.into(),
                    }
                }
                if words.is_empty()
                    && let Some(problem) = &order.state().error
                {
                    return Error::Api(problem.clone()).into();
                }
                words
            }
            Err(error) => return error.into(),
        };
        match words.is_empty() {
            true => Refusal::of(
                Kind::Names,
                "the authority refuses the order without a word",
            ),
            false => Refusal {
                kind: Kind::Names,
                words,
                retry_after: None,
            },
        }
    }
}

impl Proof<'_> {
    /// What the authority is to look for.
    fn challenge(&self) -> ChallengeType {
        match self {
            Proof::Http(_) => ChallengeType::Http01,
            Proof::Dns(_) => ChallengeType::Dns01,
        }
    }
}

fn word(kind: &ChallengeType) -> &'static str {
    match kind {
        ChallengeType::Dns01 => "DNS-01",
        _ => "HTTP-01",
    }
}

/// The state without what borrows the order.
async fn refresh(order: &mut Order) -> Result<(), Error> {
    order.refresh().await.map(drop)
}

/// Fetches one authorization, if it is not here yet. Those before it are.
async fn fetch(order: &mut Order, at: usize) -> Result<(), Error> {
    nth(&mut order.authorizations(), at).await.map(drop)
}

async fn nth<'a>(
    all: &'a mut instant_acme::Authorizations<'_>,
    at: usize,
) -> Result<instant_acme::AuthorizationHandle<'a>, Error> {
    for _ in 0..at {
        all.next().await.transpose()?;
    }
    let found = all.next().await.transpose()?;
    found.ok_or(Error::Str("an authorization of the order"))
}

async fn ready(order: &mut Order, at: usize, kind: &ChallengeType) -> Result<(), Error> {
    let mut all = order.authorizations();
    let mut authorization = nth(&mut all, at).await?;
    if authorization.status != AuthorizationStatus::Pending {
        return Ok(());
    }
    match authorization.challenge(kind.clone()) {
        Some(mut challenge) => challenge.set_ready().await,
        None => Ok(()),
    }
}

/// What an authorization that was fetched says against its name.
async fn failed(order: &mut Order, at: usize) -> Option<(String, String)> {
    let mut all = order.authorizations();
    let authorization = nth(&mut all, at).await.ok()?;
    let name = authorization.identifier().to_string();
    let mut errors = authorization.challenges.iter().map(|it| it.error.as_ref());
    let error: Option<&Problem> = errors.find_map(|error| error);
    match (authorization.status, error) {
        (AuthorizationStatus::Valid | AuthorizationStatus::Pending, None) => None,
        (_, Some(error)) => Some((name, said(error.r#type.as_deref(), error.detail.as_deref()))),
        (_, None) => Some((name, "it was not proven".to_owned())),
    }
}

/// Whether an order was refused for what it replaces: RFC 9773, 5, and older servers.
fn is_about_replacing(error: &Error) -> bool {
    let kind = match error {
        Error::Api(problem) => short_type(problem),
        Error::Other(other) => match other.downcast_ref::<Told>() {
            Some(Told::Said {
                problem: Some(problem),
                ..
            }) => short_type(problem),
            // It took the order, and kept silent about what that replaces.
            None => return other.to_string().starts_with("replaces field mismatch"),
            _ => return false,
        },
        _ => return false,
    };
    matches!(kind, "alreadyReplaced" | "malformed" | "conflict")
}
