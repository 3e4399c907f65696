//! The numbers that are on screen: what containers use, the router's, the machine's.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};

use super::numbers;
use super::worker::Worker;
use crate::console::message::HostNews;
use crate::engine;
use crate::fleet::Site;
use crate::host::{Toolbox, machine, router};
use crate::observe::whose;
use crate::record::Layout;
use crate::verdict::Usage;
/// Stats calls at the same time.
const AT_ONCE: usize = 4;

impl Worker<'_> {
    pub(super) fn is_watched(&self) -> bool {
        let watch = self.shared.watch.borrow();
        let here = self.host.name.as_str();
        watch.usage.iter().any(|(host, _)| host == here)
            || watch.traffic.iter().any(|host| host == here)
    }

    pub(super) fn is_measured(&self) -> bool {
        let watch = self.shared.watch.borrow();
        let here = self.host.name.as_str();
        watch.machines.iter().any(|host| host == here)
    }

    /// Reads the numbers on screen. When what is on screen changed, only those never read.
    pub(super) async fn numbers(&mut self, only_new: bool) -> engine::Result<()> {
        let here = self.host.name.as_str();
        let (usage, traffic) = {
            let watch = self.shared.watch.borrow();
            let usage: Vec<String> = watch
                .usage
                .iter()
                .filter(|(host, id)| host == here && !(only_new && self.stats.contains_key(id)))
                .map(|(_, id)| id.clone())
                .collect();
            let traffic = watch.traffic.iter().any(|h| h == here);
            (usage, traffic && !(only_new && self.counted))
        };
        let done = Box::pin(self.usage(&usage)).await;
        self.weigh(done, ()).await?;
        if traffic {
            self.counted = true;
            let done = Box::pin(self.traffic()).await;
            self.weigh(done, ()).await?;
        }
        if only_new && !self.measured && self.is_measured() {
            Box::pin(self.measure()).await?;
        }
        Ok(())
    }

    /// The machine's numbers while no screen shows them: a disk that is full is told anyway.
    pub(super) async fn measure_unasked(&mut self) -> engine::Result<()> {
        let done = Box::pin(self.measure()).await;
        self.measured = false;
        done
    }

    /// The machine's numbers: through a command in the toolbox, which on-call mode does not run.
    pub(super) async fn measure(&mut self) -> engine::Result<()> {
        self.measured = true;
        let fleet = self.shared.fleet.borrow().name.clone();
        let toolbox = self.last.as_ref().and_then(|last| {
            whose::toolbox(&last.containers, &fleet).filter(|c| c.is_running() && !self.shared.lone)
        });
        let Some(toolbox) = toolbox.filter(|_| !self.shared.on_call) else {
            return Ok(());
        };
        let toolbox = Toolbox {
            client: self.client.clone(),
            id: toolbox.id.clone(),
            layout: Layout::new(&self.host.root),
        };
        match machine::read(&toolbox).await {
            Ok(found) => self
                .shared
                .send(&self.host.name, HostNews::Machine(Ok(found))),
            Err(crate::host::ToolboxError::Engine(error)) if error.is_unreachable() => {
                return self.weigh(Err(error), ()).await;
            }
            Err(error) => {
                let why = error.to_string();
                self.shared
                    .send(&self.host.name, HostNews::Machine(Err(why)));
            }
        }
        Ok(())
    }

    pub(super) async fn usage(&mut self, ids: &[String]) -> engine::Result<()> {
        let client = &self.client;
        let asked: Vec<_> = ids
            .iter()
            .map(|id| async move { (id.clone(), client.stats_once(id).await) })
            .collect();
        let answers: Vec<_> = stream::iter(asked)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for (id, answer) in answers {
            let stats = match answer {
                Ok(stats) => stats,
                Err(error) if error.is_unreachable() => return Err(error),
                // Gone meanwhile, or not to be measured: the row says nothing then.
                Err(_) => continue,
            };
            // A container that does not run has nothing to measure.
            if stats.read_at == 0 {
                continue;
            }
            let cpu = self.stats.get(&id).and_then(|last| stats.cores_since(last));
            let usage = Usage {
                at: stats.read_at / 1000 - self.skew(),
                memory: stats.memory_used,
                memory_limit: stats.memory_limit,
                cpu,
                cpu_total_ns: stats.cpu_total_ns,
            };
            self.stats.insert(id.clone(), stats);
            self.shared
                .send(&self.host.name, HostNews::Usage(id, usage));
        }
        Ok(())
    }

    /// The router's numbers: its table where commands can be run in the toolbox, and its log.
    pub(super) async fn traffic(&mut self) -> engine::Result<()> {
        let Some(last) = self.last.clone() else {
            return Ok(());
        };
        let fleet = self.shared.fleet.borrow().clone();
        let routing = whose::router(&last.containers, &fleet.name);
        let Some(routing) = routing.filter(|c| c.is_running()) else {
            return Ok(());
        };
        let lines = numbers::log_tail(&self.client, &routing.id).await;
        if let Err(error) = &lines
            && error.is_unreachable()
        {
            return Err(lines.unwrap_err());
        }
        let now = chrono::Utc::now().timestamp();
        let lines = lines.map(|lines| numbers::on_our_clock(lines, self.skew()));
        let read = lines.is_ok();
        let lines = lines.unwrap_or_default();
        let from_log = numbers::of_log(&lines, now, |site| {
            let site = fleet.sites.get(site);
            site.is_some_and(|site| site.timeout_s > Site::TIMEOUT_S)
        });
        let toolbox = whose::toolbox(&last.containers, &fleet.name).filter(|c| c.is_running());
        let mut counted = false;
        let table = match toolbox {
            Some(found) if !self.shared.on_call && !self.blind => {
                let toolbox = Toolbox {
                    client: self.client.clone(),
                    id: found.id.clone(),
                    layout: Layout::new(&self.host.root),
                };
                match router::traffic(&toolbox).await {
                    Ok(table) => {
                        counted = true;
                        table
                    }
                    Err(_) => {
                        // Until the host is looked at again the log has to do.
                        self.blind = true;
                        BTreeMap::new()
                    }
                }
            }
            _ => BTreeMap::new(),
        };
        let mut numbers = numbers::merged(&table, from_log, now);
        if read || counted {
            let sites = fleet.sites_on(&self.host.name).map(|site| &site.name);
            let a_minute = counted || numbers::tell_a_minute(&lines, now);
            numbers = numbers::and_silent(numbers, sites, a_minute, now);
        }
        let troubled = numbers::troubled(&numbers, now);
        self.asks.send_if_modified(|told| {
            let news = told.troubled != troubled;
            told.troubled = troubled;
            news
        });
        if !numbers.is_empty() {
            self.shared
                .send(&self.host.name, HostNews::Traffic(numbers));
        }
        Ok(())
    }
}
