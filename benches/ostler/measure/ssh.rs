//! A host over SSH: one list over a session that is connected, against the daemon's own socket and
//! against `docker -H ssh://`. The SSH server is started here, on 127.0.0.1, with keys of its own.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use bollard::models::ContainerCreateBody;
use tokio::process::{Child, Command};

use super::Extent;
use super::program::{self, check, say};
use super::row::{Row, median, ms};
use super::stage::{LABEL, Stage, free_port};
use ostler::cli::Failure;
use ostler::engine::transport::ssh::SshOptions;
use ostler::engine::{Client, Gate, Network};
use ostler::fleet::EngineAddress;

const IMAGE: &str = "debian:trixie-slim";
/// Lists over each connection; the two take turns, so that the machine's load meets both.
const ROUNDS: usize = 40;
/// Runs of the docker client, each of which logs in.
const DOCKER_ROUNDS: usize = 5;
/// What a list may take longer over SSH on loopback.
const MORE: Duration = Duration::from_millis(3);

/// Creates containers and lists them.
pub async fn measure(stage: &Stage, extent: Extent) -> Result<Vec<Row>, Failure> {
    let EngineAddress::Unix { path: socket } = &stage.address else {
        return Err(Failure::new("SSH is measured against a unix socket only"));
    };
    let count = extent.sites(300);
    say(&format!("creating {count} containers"));
    let body = ContainerCreateBody {
        image: Some(IMAGE.into()),
        cmd: Some(vec!["true".into()]),
        labels: Some([(LABEL.to_owned(), stage.fleet.clone())].into()),
        ..ContainerCreateBody::default()
    };
    let containers = (0..count).map(|n| (format!("{}-{n:03}", stage.fleet), body.clone()));
    stage.create(containers.collect()).await?;

    let server = Server::start(stage).await?;
    let address: EngineAddress = format!("ssh://bench{socket}")
        .parse()
        .map_err(|e| Failure::of(&e))?;
    let network = Network::headless().with_ssh(SshOptions {
        config: Some(server.config.clone()),
    });
    let begun = Instant::now();
    let far = Client::connect_by(&network, &address, Gate::on_call()).await?;
    far.containers().await?;
    let first = begun.elapsed();
    let near = &stage.client;
    let (mut over_ssh, mut over_unix) = (Vec::new(), Vec::new());
    for _ in 0..extent.pick(ROUNDS, 1) {
        over_unix.push(list(near).await?);
        over_ssh.push(list(&far).await?);
    }
    let (over_ssh, over_unix) = (median(&mut over_ssh), median(&mut over_unix));
    let mut docker = Vec::new();
    for _ in 0..extent.pick(DOCKER_ROUNDS, 1) {
        docker.push(server.docker(stage, socket).await?);
    }
    let docker = median(&mut docker);

    let what = format!("list {count} containers over SSH");
    let more = over_ssh.saturating_sub(over_unix);
    let mut beside = Row::times(&what, over_ssh, "the unix socket", over_unix);
    beside.what = format!("{what}: {} more", ms(more));
    Ok(vec![
        beside.goal("at most 3 ms more", more <= MORE),
        Row::times(&what, over_ssh, "docker -H ssh:// ps -a", docker).at_most(0.1),
        Row::times(
            format!("log in and list {count} containers over SSH"),
            first,
            "docker -H ssh:// ps -a",
            docker,
        ),
    ])
}

async fn list(client: &Client) -> Result<Duration, Failure> {
    let begun = Instant::now();
    client.containers().await?;
    Ok(begun.elapsed())
}

/// An SSH server of our own.
struct Server {
    _process: Child,
    /// The client's configuration: the host is called `bench` there.
    config: PathBuf,
    /// A folder with a program `ssh` that reads that configuration.
    path: PathBuf,
}

impl Server {
    async fn start(stage: &Stage) -> Result<Server, Failure> {
        let folder = stage.folder.join("ssh");
        let path = folder.join("bin");
        fs::create_dir_all(&path).map_err(|e| Failure::caused("cannot make a folder", &e))?;
        let at = |name: &str| folder.join(name);
        for key in ["host_key", "id"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(at(key));
            let (_, output) = program::run(&stage.folder, keygen).await?;
            check("ssh-keygen", &output)?;
        }
        let port = free_port()?;
        let shown = folder.display();
        let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
        let user = user.unwrap_or_else(|_| "root".into());
        let host_key = fs::read_to_string(at("host_key.pub"))
            .map_err(|e| Failure::caused("cannot read a key", &e))?;
        let files = [
            (
                "sshd_config",
                format!(
                    "ListenAddress 127.0.0.1\nPort {port}\nHostKey \"{shown}/host_key\"\nPidFile none\nAuthorizedKeysFile \"{shown}/id.pub\"\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nAllowStreamLocalForwarding yes\nSetEnv HOME=\"{shown}\"\n"
                ),
            ),
            (
                "config",
                format!(
                    "Host bench\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  IdentityFile \"{shown}/id\"\n  IdentitiesOnly yes\n  UserKnownHostsFile \"{shown}/known_hosts\"\n  GlobalKnownHostsFile /dev/null\n"
                ),
            ),
            ("known_hosts", format!("[127.0.0.1]:{port} {host_key}")),
            (
                "bin/ssh",
                "#!/bin/sh\nPATH=$BENCH_PATH\nexec ssh -F \"$BENCH_SSH_CONFIG\" \"$@\"\n"
                    .to_owned(),
            ),
        ];
        for (name, text) in files {
            fs::write(at(name), text).map_err(|e| Failure::caused("cannot write a file", &e))?;
        }
        fs::set_permissions(at("bin/ssh"), fs::Permissions::from_mode(0o700))
            .map_err(|e| Failure::caused("cannot make a program", &e))?;
        let program = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
        let program = program.iter().find(|p| Path::new(p).exists());
        let program = program.ok_or_else(|| {
            Failure::new("there is no sshd here").help("`apt install openssh-server` brings it")
        })?;
        // Where root starts it, it wants this folder, which its service would have made.
        let _ = fs::create_dir("/run/sshd");
        let process = Command::new(program)
            .args(["-D", "-e", "-f"])
            .arg(at("sshd_config"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| Failure::caused("cannot start sshd", &e))?;
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > end {
                return Err(Failure::new("the SSH server does not listen"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Server {
            _process: process,
            config: at("config"),
            path,
        })
    }

    /// `docker -H ssh://… ps -a`.
    async fn docker(&self, stage: &Stage, socket: &str) -> Result<Duration, Failure> {
        let path = std::env::var("PATH").unwrap_or_default();
        // Older clients take no path.
        let socket = match socket {
            "/var/run/docker.sock" => "",
            other => other,
        };
        let mut command = Command::new("docker");
        command
            .args(["-H", &format!("ssh://bench{socket}"), "ps", "-a"])
            .env("PATH", format!("{}:{path}", self.path.display()))
            .env("BENCH_PATH", path)
            .env("BENCH_SSH_CONFIG", &self.config)
            .env_remove("DOCKER_HOST")
            .env_remove("DOCKER_CONTEXT");
        let (took, output) = program::run(&stage.folder, command).await?;
        check("docker ps -a", &output)?;
        Ok(took)
    }
}
