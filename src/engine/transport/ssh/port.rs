//! A TCP port of a host: by a channel from the host itself; from here, where its sshd forwards none.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::config;
use super::options::SshOptions;
use crate::engine::transport::connector::{NoPort, Reached};
use crate::engine::transport::tcp;

/// How long a host is not asked again that forwards no connections: it writes each question into its
/// log.
const AGAIN: Duration = Duration::from_secs(600);
/// What sshd says of a connection that its configuration, or the key's, does not allow.
const FORBIDDEN: &str = "administratively prohibited";

/// Whether these words of sshd say that it forwards no such connections.
pub(super) fn is_forbidden(words: &str) -> bool {
    words.contains(FORBIDDEN)
}

/// Whether they say that it tried, and nobody is there.
pub(super) fn is_refused(words: &str) -> bool {
    words.contains("connect failed")
}

/// What is known of the way to a host's ports.
#[derive(Default)]
pub(super) struct Ports {
    /// When it last refused to forward, and the address by which it is tried from here, or why not.
    forbidden: Mutex<Option<Forbidden>>,
}

type Forbidden = (Instant, Option<Result<String, String>>);

impl Ports {
    /// Whether it is not to be asked now.
    pub(super) fn are_forbidden(&self) -> bool {
        let mut forbidden = self.lock();
        if forbidden
            .as_ref()
            .is_some_and(|(at, _)| at.elapsed() >= AGAIN)
        {
            *forbidden = None;
        }
        forbidden.is_some()
    }

    /// It said that it forwards none.
    pub(super) fn forbid(&self) {
        self.lock().get_or_insert((Instant::now(), None));
    }

    /// A port from here, at the address that `ssh_config` gives the host.
    pub(super) async fn reach_from_here(
        &self,
        options: &SshOptions,
        (user, host, target_port): (Option<&str>, &str, Option<u16>),
        port: u16,
    ) -> Result<Reached, NoPort> {
        let known = self.lock().as_ref().and_then(|(_, place)| place.clone());
        let place = match known {
            Some(place) => place,
            None => {
                let options = options.clone();
                let (user, host) = (user.map(str::to_owned), host.to_owned());
                let asking = tokio::task::spawn_blocking(move || {
                    place(&options, user.as_deref(), &host, target_port)
                });
                let place = asking.await.unwrap_or_else(|error| Err(error.to_string()));
                if let Some((_, known)) = &mut *self.lock() {
                    *known = Some(place.clone());
                }
                place
            }
        };
        const NONE: &str = "its sshd forwards no connections";
        match place {
            Err(why) => Err(NoPort::no_way(format!("{NONE}, and {why}"))),
            Ok(address) => match tcp::from_here(address, port).await {
                Err(NoPort::NoWay { why, from_here }) => Err(NoPort::NoWay {
                    why: format!("{NONE}, and {why}"),
                    from_here,
                }),
                reached => reached,
            },
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Forbidden>> {
        self.forbidden
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address that a host has for this machine. One behind others has none: what answers by that
/// address here may be another machine.
fn place(
    options: &SshOptions,
    user: Option<&str>,
    host: &str,
    port: Option<u16>,
) -> Result<String, String> {
    let hops = config::resolve(options, user, host, port).map_err(|error| error.to_string())?;
    match hops.as_slice() {
        [hop] => Ok(hop.host.clone()),
        [.., before, _] => Err(format!("it is reached through {}", before.name)),
        [] => Err("its SSH configuration names no host".into()),
    }
}
