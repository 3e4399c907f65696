//! Asks the sites of one host whether they answer: all of them once when the host is there, then
//! those that somebody looks at, or that fail, every few seconds, and the others now and then. It is
//! no request to the engine, and one site that hangs delays no other.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::shared::Shared;
use crate::console::lock::lock;
use crate::console::message::HostNews;
use crate::engine::Client;
use crate::fleet::{Host, Name};
use crate::observe::ask::{AT_ONCE, Question, Questions};
use crate::observe::asked::{Probe, Road, SiteAnswer};
use crate::observe::model::ObservedHost;

/// How often a site is asked that is on screen, or fails.
const NEAR: Duration = Duration::from_secs(5);
/// One that answers slowly is asked so many times seldomer than it takes.
const LOAD: u32 = 20;
/// One that hangs keeps what works for it busy: it is asked less often than that.
const HANGS: Duration = Duration::from_secs(12);
/// One that is asked from here and fails, or of which visitors see trouble.
const SELDOM: Duration = Duration::from_secs(30);
/// How often all others are asked, where they are few.
const FAR: Duration = Duration::from_secs(180);
/// Sixty times that part of it they are spread over.
const FAR_SPREAD: u32 = 180;
/// What a site off screen costs at least: a host with thousands of them is asked on and on, but no
/// faster than that.
const EACH: Duration = Duration::from_millis(200);
/// Of those off screen, how many are asked at the same time.
const FAR_AT_ONCE: usize = 4;
/// One off screen that was well and begins to fail is asked once more, so much later, before that is
/// told.
const AGAIN: Duration = Duration::from_secs(1);
/// Answers that come together are told together.
const TOGETHER: Duration = Duration::from_millis(100);

/// What the worker of a host tells its prober.
#[derive(Clone, Default)]
pub(super) struct Told {
    /// What was last found on the host.
    pub(super) seen: Option<Arc<ObservedHost>>,
    /// Sites of which the router's log tells trouble.
    pub(super) troubled: BTreeSet<Name>,
}

/// What came of asking each site, from one connection to the next: a site that fails did not begin
/// to when the host came back.
pub(super) type Answered = Arc<Mutex<BTreeMap<Name, Probe>>>;

/// One site's turn.
struct Turn {
    asking: Option<Seen>,
    probe: Option<Probe>,
    /// When it was last answered.
    ended: Instant,
}

/// Whether somebody looks at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Near,
    Far,
}

/// The prober of one host that answers.
pub(super) struct Prober {
    shared: Shared,
    /// As it was connected to.
    host: Host,
    client: Client,
    questions: Arc<Questions>,
    turns: BTreeMap<Name, Turn>,
    before: Answered,
    answers: Vec<(Name, Probe)>,
    /// When those are told.
    tell_at: Option<Instant>,
}

type Asking = FuturesUnordered<BoxFuture<'static, (Name, Probe)>>;

impl Prober {
    pub(super) fn new(shared: &Shared, host: &Host, client: &Client, before: &Answered) -> Prober {
        Prober {
            shared: shared.clone(),
            host: host.clone(),
            client: client.clone(),
            questions: Arc::default(),
            turns: BTreeMap::new(),
            before: before.clone(),
            answers: Vec::new(),
            tell_at: None,
        }
    }

    /// Asks until it is dropped; then nothing of it is left.
    pub(super) async fn run(mut self, mut told: watch::Receiver<Told>) {
        let mut fleet = self.shared.fleet.clone();
        let mut watched = self.shared.watch.clone();
        let mut asking = Asking::new();
        self.learn(&told.borrow_and_update());
        loop {
            let next = self.begin(&told.borrow(), &mut asking);
            let at = next.into_iter().chain(self.tell_at).min();
            tokio::select! {
                Some((site, probe)) = asking.next() => self.answered(site, probe),
                () = sleep_until(at.unwrap_or_else(Instant::now)), if at.is_some() => {}
                Ok(()) = told.changed() => self.learn(&told.borrow_and_update()),
                Ok(()) = fleet.changed() => self.learn(&told.borrow()),
                Ok(()) = watched.changed() => {}
                // The worker has ended, and this with it.
                else => return,
            }
            if self.tell_at.is_some_and(|at| at <= Instant::now()) {
                self.tell_at = None;
                let answers = std::mem::take(&mut self.answers);
                self.shared.send(&self.host.name, HostNews::Probed(answers));
            }
        }
    }

    /// What is to be asked now: sites come and go, and their routes change.
    fn learn(&mut self, told: &Told) {
        let fleet = self.shared.fleet.borrow().clone();
        // As the file describes it now: its ports may be others than when it was connected to.
        if let Some(now) = fleet.hosts.get(&self.host.name) {
            self.host = now.clone();
        }
        let Some(seen) = told.seen.as_ref().filter(|_| !self.shared.lone) else {
            return;
        };
        let questions = Questions::of(&fleet, &self.host.name, seen);
        let asked: HashSet<&Name> = questions.all.iter().map(|q| &q.site).collect();
        self.turns.retain(|site, _| asked.contains(site));
        lock(&self.before).retain(|site, _| asked.contains(site));
        self.questions = Arc::new(questions.after(&self.questions));
    }

    /// Begins to ask those whose turn it is, and says when the next one's is.
    fn begin(&mut self, told: &Told, asking: &mut Asking) -> Option<Instant> {
        let now = Instant::now();
        let here = self.host.name.as_str();
        let watch = self.shared.watch.borrow();
        let near = watch.sites.iter().filter(|(host, _)| host == here);
        let near: HashSet<&str> = near.map(|(_, site)| site.as_str()).collect();
        let mut due: Vec<(bool, Instant, &Question)> = Vec::new();
        let mut next = None;
        let far = self.far();
        for question in &self.questions.all {
            let site = &question.site;
            let shown = near.contains(site.as_str());
            let at = match self.turns.get(site) {
                Some(turn) if turn.asking.is_some() => continue,
                Some(turn) => {
                    turn.ended + turn.pause(site, shown, told.troubled.contains(site), far)
                }
                None => now,
            };
            match at <= now {
                true => due.push((!shown, at, question)),
                false => next = next.into_iter().chain([at]).min(),
            }
        }
        due.sort_by_key(|(far, at, _)| (*far, *at));
        let under_way = self.turns.values();
        let mut far_asking = under_way.filter(|it| it.asking == Some(Seen::Far)).count();
        for (is_far, _, question) in due {
            // One that ends is followed by the next; those that somebody looks at come first.
            if asking.len() >= AT_ONCE || (is_far && far_asking >= FAR_AT_ONCE) {
                break;
            }
            far_asking += usize::from(is_far);
            let turn = self.turns.entry(question.site.clone()).or_insert(Turn {
                asking: None,
                probe: lock(&self.before).get(&question.site).cloned(),
                ended: now,
            });
            turn.asking = Some(if is_far { Seen::Far } else { Seen::Near });
            let (client, host) = (self.client.clone(), self.host.clone());
            let (questions, question) = (self.questions.clone(), question.clone());
            let before = turn.probe.clone();
            let work = async move {
                let before = before.as_ref();
                let mut probe = questions.ask(&client, &host, &question, before).await;
                if is_far && begins_to_fail(before, &probe) {
                    tokio::time::sleep(AGAIN).await;
                    probe = questions.ask(&client, &host, &question, before).await;
                }
                (question.site, probe)
            };
            asking.push(work.boxed());
        }
        next
    }

    /// How long one off screen that answers well is left alone: all together are asked one after the
    /// other, about.
    fn far(&self) -> Duration {
        let took = self.turns.values().filter_map(|turn| turn.probe.as_ref());
        let (sum, count) = took.fold((Duration::ZERO, 0), |(sum, count), probe| {
            (sum + probe.took, count + 1)
        });
        let all = u32::try_from(self.questions.all.len()).unwrap_or(u32::MAX);
        far(all, sum.checked_div(count).unwrap_or_default())
    }

    fn answered(&mut self, site: Name, probe: Probe) {
        // It may have been taken from the file meanwhile.
        let Some(turn) = self.turns.get_mut(&site) else {
            return;
        };
        turn.asking = None;
        turn.ended = Instant::now();
        turn.probe = Some(probe.clone());
        lock(&self.before).insert(site.clone(), probe.clone());
        self.answers.push((site, probe));
        self.tell_at.get_or_insert(Instant::now() + TOGETHER);
    }
}

/// How long each of so many sites off screen is left alone, by how long an answer takes.
fn far(all: u32, took: Duration) -> Duration {
    FAR.max(took.max(EACH).saturating_mul(all))
}

/// Whether this is the first bad answer of a site that answered well. One that nobody asked before
/// is told at once: who opens the console has it in sight in no time.
fn begins_to_fail(before: Option<&Probe>, probe: &Probe) -> bool {
    let was_well = before.is_some_and(|before| before.answer.is_good() == Some(true));
    was_well && probe.answer.is_good() == Some(false)
}

impl Turn {
    /// How long it is left alone after its last answer; `far`: where all is well and nobody looks.
    fn pause(&self, site: &Name, shown: bool, troubled: bool, far: Duration) -> Duration {
        let Some(probe) = &self.probe else {
            return Duration::ZERO;
        };
        let fails = probe.answer.is_good() == Some(false);
        // Where it is asked from here its router takes that for visits.
        let seldom = matches!(probe.road, Road::Here(_));
        if (!shown || seldom) && !troubled && !fails {
            // Not all in the same moment.
            let spread = site.as_str().bytes().fold(0u32, |sum, byte| {
                sum.wrapping_mul(31).wrapping_add(byte.into())
            });
            return far + far * (spread % 60) / FAR_SPREAD;
        }
        match probe.answer {
            _ if seldom => SELDOM,
            SiteAnswer::Silent(_) => HANGS,
            _ => NEAR.max(probe.took * LOAD),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slow_is_asked_rarely_and_what_nobody_looks_at_more_rarely() {
        let by = |road: Road, answer: SiteAnswer, ms, shown, troubled| {
            let took = Duration::from_millis(ms);
            let turn = Turn {
                asking: None,
                probe: Some(Probe::new(0, answer, road, took, None)),
                ended: Instant::now(),
            };
            let site = "a".parse().unwrap();
            turn.pause(&site, shown, troubled, FAR).as_secs()
        };
        let pause = |answer, ms, shown, troubled| by(Road::Connection, answer, ms, shown, troubled);
        let ok = || SiteAnswer::Site(200);
        assert_eq!(pause(ok(), 3, true, false), 5);
        assert_eq!(pause(ok(), 2_000, true, false), 40);
        assert_eq!(pause(SiteAnswer::Silent(4), 4_000, true, false), 12);
        assert!((180..240).contains(&pause(ok(), 3, false, false)));
        assert_eq!(pause(ok(), 3, false, true), 5);
        assert_eq!(pause(SiteAnswer::Site(502), 3, false, false), 5);
        // From here each question is a visit: none for being looked at.
        let here = || Road::Here("192.0.2.1".into());
        assert!((180..240).contains(&by(here(), ok(), 3, true, false)));
        assert_eq!(by(here(), ok(), 3, true, true), 30);
        assert_eq!(by(here(), SiteAnswer::Site(502), 3, true, false), 30);
    }

    #[test]
    fn thousands_of_sites_off_screen_are_asked_one_after_the_other() {
        let ms = Duration::from_millis;
        assert_eq!(far(10, ms(3)), FAR);
        assert_eq!(far(3_000, ms(3)).as_secs(), 600);
        assert_eq!(far(3_000, ms(400)).as_secs(), 1_200);
    }

    #[test]
    fn one_bad_answer_off_screen_is_asked_after() {
        let took = Duration::from_millis(3);
        let new = |at, answer, before: Option<&Probe>| {
            Probe::new(at, answer, Road::Connection, took, before)
        };
        let well = new(10, SiteAnswer::Site(200), None);
        let first = new(20, SiteAnswer::Silent(4), Some(&well));
        let second = new(30, SiteAnswer::Silent(4), Some(&first));
        assert!(begins_to_fail(Some(&well), &first));
        assert!(!begins_to_fail(None, &first), "it was never asked");
        assert!(!begins_to_fail(Some(&first), &second));
        assert!(!begins_to_fail(Some(&well), &well));
    }
}
