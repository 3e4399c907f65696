//! The front of a simulated host: what a visitor meets who comes by the network.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::Sim;
use crate::engine::{NoPort, Reached};

/// Bytes of a request's head, at most.
const HEAD: usize = 16 * 1024;

impl Sim {
    /// A connection to a port of this host, made on the host itself.
    pub(super) fn front(&self, port: u16) -> Result<Reached, NoPort> {
        if *self.shared.down.borrow() {
            return Err(NoPort::no_way("no route to host"));
        }
        if !self.look(|world, _| world.listens(port)) {
            let why = format!("127.0.0.1:{port} of the host takes no connections");
            return Err(NoPort::Refused(why));
        }
        let (near, far) = tokio::io::duplex(HEAD);
        let (sim, mut gone) = (self.clone(), self.shared.down.subscribe());
        tokio::spawn(async move {
            tokio::select! {
                () = serve(sim, port, far) => {}
                _ = gone.wait_for(|down| *down) => {}
            }
        });
        Ok(Reached::on_host(near))
    }
}

/// One request and its answer, which comes when it is due.
async fn serve(sim: Sim, port: u16, mut stream: DuplexStream) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read_buf(&mut head).await {
            Ok(1..) if head.len() < HEAD => {}
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or("/");
    let host = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    let domain = host.unwrap_or_default();
    // It is no visitor's, and wakes nobody.
    let marked = |line: &str| line.to_ascii_lowercase().starts_with("x-ostler-probe:");
    let probe = head.lines().any(marked);
    let routed = sim.look(|world, now| world.ask_host(now, port, domain, path, probe));
    let wait = async {
        match routed.after {
            Duration::MAX => std::future::pending().await,
            after => tokio::time::sleep(after).await,
        }
    };
    let mut more = [0; 64];
    tokio::select! {
        () = wait => {}
        // Whoever asked has gone.
        _ = stream.read(&mut more) => return,
    }
    if routed.status == 0 {
        return;
    }
    let mark = match routed.mark {
        "" => String::new(),
        mark => format!("X-Ostler: {mark}\r\n"),
    };
    let answer = format!(
        "HTTP/1.1 {} -\r\n{mark}Content-Length: 0\r\nConnection: close\r\n\r\n",
        routed.status
    );
    // They may have gone meanwhile.
    let _ = stream.write_all(answer.as_bytes()).await;
}
