//! The shell scripts that run in the toolbox. They are the program's own text; names, paths and
//! domains reach them as arguments and standard input only. Each is run as
//! `["sh", "-c", text, "ostler-<tag>", ARGUMENTS…]`, so that `$0` tells which one it is: the
//! simulated engine answers by that.
//!
//! All of them print errors on standard error in words and work again when run again.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Script {
    /// Its name.
    pub tag: &'static str,
    /// What `sh` runs.
    pub text: &'static str,
    /// How long it may take, where the caller does not say otherwise.
    pub deadline: Duration,
}

impl Script {
    /// The arguments of an exec.
    pub fn argv<'a>(&'a self, name: &'a str, args: &[&'a str]) -> Vec<&'a str> {
        let mut argv = vec!["sh", "-c", self.text, name];
        argv.extend_from_slice(args);
        argv
    }
    /// What becomes `$0`.
    pub fn name(&self) -> String {
        format!("ostler-{}", self.tag)
    }
}

pub(super) const SHORT: Duration = Duration::from_secs(15);

/// Makes folders and gives them mode and owner. Never used below what a customer can write.
///
/// Arguments: `MODE UID:GID PATH`, repeated; parents first. Nothing on stdout. Exit 0, or 1 where
/// something else has the name.
pub const TREE: Script = Script {
    tag: "tree",
    text: r#"set -eu
while [ $# -ge 3 ]; do
  if [ -L "$3" ]; then echo "$3 is a symbolic link" >&2; exit 1; fi
  # Another one of these may make it at the same moment.
  [ -d "$3" ] || mkdir -- "$3" || [ -d "$3" ]
  chown "$2" -- "$3"
  chmod "$1" -- "$3"
  shift 3
done
"#,
    deadline: SHORT,
};

/// Puts finished files and folders in their places.
///
/// Arguments: `FROM TO`, repeated. A file is flushed to disk and replaces TO in one step. A folder
/// takes the name TO when nothing has it; otherwise TO is kept, FROM removed, and `kept TO`
/// printed. Where FROM is missing and TO exists nothing is done (it was published before). Exit 0;
/// 1 on failure; what was done until then stays.
pub const PUBLISH: Script = Script {
    tag: "publish",
    text: r#"set -eu
while [ $# -ge 2 ]; do
  if [ -d "$1" ] && [ ! -L "$1" ]; then
    if [ -e "$2" ]; then echo "kept $2"; rm -rf -- "$1"; else mv -T -- "$1" "$2"; fi
  elif [ -e "$1" ]; then
    sync -- "$1"
    mv -fT -- "$1" "$2"
  elif [ ! -e "$2" ]; then
    echo "$1 is missing" >&2; exit 1
  fi
  shift 2
done
"#,
    deadline: Duration::from_secs(60),
};

/// Whether the guard's rules stand. Runs in the guard.
///
/// Argument: the table. Exit 0, or 1 where there is none.
pub const GUARDED: Script = Script {
    tag: "guarded",
    text: r#"nft list table ip "$1" >/dev/null 2>&1 || exit 1
"#,
    deadline: SHORT,
};

/// Has the guard take its rules away, and waits until they are gone. Runs in the guard.
///
/// Argument: the table. Exit 0, or 1 where they stay.
pub const UNGUARD: Script = Script {
    tag: "unguard",
    text: r#"kill -USR1 1
for _ in 1 2 3 4 5 6 7 8 9 10; do
  nft list table ip "$1" >/dev/null 2>&1 || exit 0
  sleep 0.5
done
echo "the rules are still there" >&2
exit 1
"#,
    deadline: SHORT,
};

/// Removes files and folders. Never used below what a customer can write.
///
/// Arguments: paths. What is not there is fine. Exit 0.
pub const REMOVE: Script = Script {
    tag: "remove",
    text: r#"set -eu
[ $# -eq 0 ] || rm -rf --one-file-system -- "$@"
"#,
    deadline: Duration::from_secs(120),
};

/// Ends an apply: removes its note, and the oldest journals beyond what is kept.
///
/// Arguments: `NOTE DIR COUNT BYTES`. Of the files `*.jsonl` in DIR, whose names sort by time, the
/// newest COUNT stay, and of those the newest that together have no more than BYTES; the newest of
/// all always does. Prints each name that it removed. Exit 0, also where DIR is missing.
pub const CLOSE: Script = Script {
    tag: "close",
    text: r#"set -eu
rm -f -- "$1"
[ -d "$2" ] || exit 0
cd -- "$2"
count=$3 bytes=$4 kept=0 sum=0
for name in $(ls -1r | grep -E '^[0-9A-Za-z-]+\.jsonl$' || :); do
  sum=$((sum + $(wc -c < "$name")))
  kept=$((kept + 1))
  if [ "$kept" -gt 1 ] && { [ "$kept" -gt "$count" ] || [ "$sum" -gt "$bytes" ]; }; then
    rm -f -- "$name"; printf '%s\n' "$name"
  fi
done
"#,
    deadline: SHORT,
};

/// Removes from one folder what begins with a prefix and is not to be kept.
///
/// Arguments: `DIR PREFIX KEEP…` (names, not paths; the prefix may be empty). Prints each name that
/// it removed. Exit 0, also where DIR is missing.
pub const KEEP_ONLY: Script = Script {
    tag: "keep-only",
    text: r#"set -eu
dir=$1 prefix=$2; shift 2
[ -d "$dir" ] || exit 0
cd -- "$dir"
for name in .[!.]* ..?* *; do
  [ -e "$name" ] || [ -L "$name" ] || continue
  case $name in "$prefix"*) ;; *) continue ;; esac
  wanted=
  for keep in "$@"; do [ "$name" != "$keep" ] || wanted=1; done
  [ -n "$wanted" ] || { rm -rf --one-file-system -- "$name"; printf '%s\n' "$name"; }
done
"#,
    deadline: Duration::from_secs(60),
};

/// Asks once by HTTP; no redirect is followed.
///
/// Arguments: `ADDRESS PORT PATH HOST SECONDS`. Prints the status, three digits; `000` where there
/// was no answer. Exit 0 with an answer, else curl's own code with its words on stderr.
pub const HTTP: Script = Script {
    tag: "http",
    text: r#"exec curl -sS -g -o /dev/null -w '%{http_code}\n' --noproxy '*' --path-as-is \
  --max-time "$5" -H "Host: $4" -H 'User-Agent: ostler' -- "http://$1:$2$3"
"#,
    deadline: Duration::from_secs(60),
};

/// Asks by HTTP again and again until an answer is good enough.
///
/// Arguments: `ADDRESS PORT PATH HOST SECONDS WORST`: an answer counts when its status is at most
/// WORST (499: anything below 500). Prints the last status (`000`: none). Exit 0 when an answer
/// counted, 1 when the time was up.
pub const AWAIT_HTTP: Script = Script {
    tag: "await-http",
    text: r#"end=$(($(date +%s) + $5)); code=000
while :; do
  code=$(curl -s -g -o /dev/null -w '%{http_code}' --noproxy '*' --path-as-is --max-time 5 \
    -H "Host: $4" -H 'User-Agent: ostler' -- "http://$1:$2$3")
  if [ "${code:-000}" != 000 ] && [ "$code" -le "$6" ]; then printf '%s\n' "$code"; exit 0; fi
  [ "$(date +%s)" -lt "$end" ] || break
  sleep 0.1
done
printf '%s\n' "${code:-000}"
exit 1
"#,
    deadline: Duration::from_secs(30),
};

/// Asks the router on this host for domains, all at once; no redirect is followed.
///
/// Arguments: `PORT SECONDS DOMAIN…`. Prints a line `STATUS MARK URL` for each, in any order: the
/// mark is the header `X-Ostler`, which only the router's own pages carry, or nothing; the URL is
/// `http://DOMAIN/`; status `000` where no answer came in that many seconds. Exit 0.
pub const ROUTES: Script = Script {
    tag: "routes",
    text: r#"port=$1 seconds=$2; shift 2
left=$#
[ "$left" -gt 0 ] || exit 0
while [ "$left" -gt 0 ]; do
  set -- "$@" -o /dev/null "http://$1/"; shift; left=$((left - 1))
done
curl -s -g -Z --parallel-max 16 --max-time "$seconds" --noproxy '*' \
  --connect-to "::127.0.0.1:$port" -H 'User-Agent: ostler' -H @- \
  -w '%{http_code} %header{x-ostler} %{url}\n' "$@" || :
"#,
    deadline: Duration::from_secs(60),
};

/// What listens for TCP on the host, Docker or not.
///
/// No arguments. Prints the lines of `/proc/net/tcp` and `/proc/net/tcp6`. Exit 0.
pub const PORTS: Script = Script {
    tag: "ports",
    text: r#"cat /proc/net/tcp; cat /proc/net/tcp6 2>/dev/null || :
"#,
    deadline: SHORT,
};

/// How the host's network is set up.
///
/// No arguments. Prints a line with `1` or `0`: whether packets between containers of one network
/// pass the firewall, `?` where the kernel does not say; then the lines of `/proc/net/route`.
/// Exit 0.
pub const ROUTING: Script = Script {
    tag: "routing",
    text: r#"cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null || echo '?'
cat /proc/net/route 2>/dev/null || :
"#,
    deadline: SHORT,
};

/// Talks to the router's runtime socket.
///
/// Arguments: `NAME DIR…`: the socket's name, and folders of which the first that has it is taken;
/// the last where none has it. Standard input is sent as it is, and ends with `quit`: HAProxy sometimes
/// cuts its answers short where the connection is shut before them. What comes back is printed as it is.
/// Exit 0; socat's code where the socket does not answer.
pub const ROUTER: Script = Script {
    tag: "router",
    text: r#"name=$1; shift
while [ $# -gt 1 ] && [ ! -S "$1/$name" ]; do shift; done
cd -- "$1" && exec socat -t 10 - "UNIX-CONNECT:$name,shut-none"
"#,
    deadline: SHORT,
};

/// What certificates say of themselves, without their keys.
///
/// Arguments: `BYTES FILE…`. Prints for each a line `== WORD`, of which `ok` is followed by its blocks
/// `CERTIFICATE`; the other words are `missing`, `empty`, `large` (more than BYTES) and `unreadable`.
/// Exit 0.
pub const PUBLIC_CERTIFICATES: Script = Script {
    tag: "public-certificates",
    text: r#"most=$1; shift
for file in "$@"; do
  if [ ! -e "$file" ]; then echo '== missing'
  elif [ ! -f "$file" ] || [ ! -r "$file" ]; then echo '== unreadable'
  elif [ ! -s "$file" ]; then echo '== empty'
  elif [ "$(wc -c <"$file")" -gt "$most" ]; then echo '== large'
  else
    echo '== ok'
    sed -n '/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/p' "$file" | grep -xE '[-A-Za-z0-9+/= ]+' || :
  fi
done
"#,
    deadline: Duration::from_secs(60),
};

/// Talks to the router's runtime socket like [`ROUTER`], and gives it files of this host: a command
/// `set ssl cert FILE <<` is followed by the PEM blocks of FILE, and nothing else that may be in it.
///
/// Arguments: `BYTES NAME DIR…`; of a file with more than BYTES nothing is given. Exit 0; socat's code
/// where the socket does not answer.
pub const LOAD_CERTIFICATES: Script = Script {
    tag: "load-certificates",
    text: r#"most=$1 name=$2; shift 2
while [ $# -gt 1 ] && [ ! -S "$1/$name" ]; do shift; done
cd -- "$1" || exit 1
while IFS= read -r line; do
  printf '%s\n' "$line"
  case $line in 'set ssl cert '*' <<')
    file=${line#set ssl cert }; file=${file% <<}
    if [ -f "$file" ] && [ "$(wc -c <"$file")" -le "$most" ]; then
      grep -xE -e '-----(BEGIN|END) [A-Z0-9 ]+-----' -e '[A-Za-z0-9+/=]+' "$file" || echo empty
    else
      echo missing
    fi
    echo
  esac
done | socat -t 10 - "UNIX-CONNECT:$name,shut-none"
"#,
    deadline: Duration::from_secs(60),
};

/// Room on the disk that holds a folder.
///
/// Arguments: `PATH`. Prints two lines: bytes as `TOTAL FREE`, inodes as `TOTAL FREE`. What is kept
/// for root belongs to neither, as in the percentage of df. Exit 0.
pub const DISK: Script = Script {
    tag: "disk",
    text: r#"set -eu
df -B1 --output=used,avail -- "$1" | tail -n 1 | { read -r used free; echo "$((used + free)) $free"; }
df --output=itotal,iavail -- "$1" | tail -n 1
"#,
    deadline: SHORT,
};

/// What the machine has and what of it is free.
///
/// Arguments: `PATH`, a folder on the disk that matters. Prints lines of a word and numbers, all and
/// free where there are two: `disk` bytes, `inodes`, the same of Docker's own disk, on which the
/// container's root lies, as `engine-disk` and `engine-inodes`, `memory` and `swap` in KiB, `load` over 1, 5
/// and 15 minutes, `uptime` seconds. Exit 0.
pub const MACHINE: Script = Script {
    tag: "machine",
    text: r#"set -eu
disk() {
  df -B1 --output=used,avail -- "$2" | tail -n 1 | { read -r used free; echo "$1disk $((used + free)) $free"; }
  echo "$1inodes $(df --output=itotal,iavail -- "$2" | tail -n 1)"
}
disk '' "$1"
disk engine- /
while read -r key number unit; do
  case $key in
    MemTotal:) all=$number ;; MemAvailable:) free=$number ;;
    SwapTotal:) swap=$number ;; SwapFree:) left=$number ;;
  esac
done </proc/meminfo
echo "memory $all $free"
echo "swap ${swap:-0} ${left:-0}"
read -r one five fifteen rest </proc/loadavg
echo "load $one $five $fifteen"
read -r up rest </proc/uptime
echo "uptime $up"
"#,
    deadline: SHORT,
};

/// Gives everything in a folder to one owner. Not run in the toolbox but as the command of a
/// throw-away container that sees nothing but that folder: a symbolic link leads nowhere.
///
/// Arguments: `UID:GID DIR`. Exit 0.
pub const OWN: Script = Script {
    tag: "own",
    text: r#"exec chown -R -P -h -- "$1" "$2"
"#,
    deadline: Duration::from_secs(1800),
};

/// Digests of the files that sites' containers read at their start.
///
/// Arguments: `DIR`, the folder of all sites. Prints lines `SHA256  ./SITE/private/conf-HASH/PATH`.
/// Exit 0, also where there are none.
pub const DIGESTS: Script = Script {
    tag: "digests",
    text: r#"cd -- "$1" || exit 1
set -- ./*/private/conf-*
[ -e "$1" ] || exit 0
exec find "$@" -type f -exec sha256sum -- {} +
"#,
    deadline: SHORT,
};

/// All scripts but those of services.
pub const ALL: &[Script] = &[
    TREE,
    PUBLISH,
    REMOVE,
    CLOSE,
    KEEP_ONLY,
    HTTP,
    AWAIT_HTTP,
    ROUTES,
    PORTS,
    ROUTING,
    ROUTER,
    DISK,
    OWN,
    DIGESTS,
    MACHINE,
    GUARDED,
    UNGUARD,
    PUBLIC_CERTIFICATES,
    LOAD_CERTIFICATES,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn run(script: &Script, args: &[&str]) -> (i32, String, String) {
        let name = script.name();
        let argv = script.argv(&name, args);
        let out = Command::new(argv[0]).args(&argv[1..]).output().unwrap();
        (
            out.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&out.stdout).into_owned(),
            String::from_utf8_lossy(&out.stderr).into_owned(),
        )
    }

    #[test]
    fn tags_are_unique_and_texts_parse() {
        let services = crate::host::service::ALL.iter();
        let all = ALL
            .iter()
            .chain(services.flat_map(|service| service.scripts));
        let all: Vec<&Script> = all.collect();
        for (at, script) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|s| s.tag != script.tag));
            let ok = Command::new("sh").args(["-n", "-c", script.text]).status();
            assert!(ok.unwrap().success(), "{}", script.tag);
        }
    }

    #[test]
    fn publish_replaces_files_and_keeps_folders() {
        let dir = tempfile::tempdir().unwrap();
        let at = |p: &str| dir.path().join(p).to_str().unwrap().to_owned();
        std::fs::write(at(".new-a b"), "new").unwrap();
        std::fs::write(at("a b"), "old").unwrap();
        std::fs::create_dir(at(".new-d")).unwrap();
        std::fs::create_dir(at(".new-e")).unwrap();
        std::fs::create_dir(at("e")).unwrap();
        std::fs::write(at("e/x"), "").unwrap();
        let pairs = [".new-a b", "a b", ".new-d", "d", ".new-e", "e"].map(at);
        let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
        let (code, out, err) = run(&PUBLISH, &pairs);
        assert_eq!((code, err.as_str()), (0, ""));
        assert_eq!(out, format!("kept {}\n", at("e")));
        assert_eq!(std::fs::read_to_string(at("a b")).unwrap(), "new");
        assert!(dir.path().join("d").is_dir() && dir.path().join("e/x").exists());
        assert_eq!(run(&PUBLISH, &pairs[..4]).0, 0, "again");
        assert_eq!(run(&PUBLISH, &[&at("none"), &at("none2")]).0, 1);
    }

    #[test]
    fn keep_only_removes_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["conf-a", "conf-b", "secrets", ".new-conf-c", "-rf"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let path = dir.path().to_str().unwrap();
        assert_eq!(run(&KEEP_ONLY, &[path, "conf-", "conf-b"]).1, "conf-a\n");
        let (_, out, _) = run(&KEEP_ONLY, &[path, "", "secrets"]);
        assert_eq!(out, ".new-conf-c\n-rf\nconf-b\n");
        assert_eq!(run(&KEEP_ONLY, &["/nonexistent", ""]).0, 0);
    }

    #[test]
    fn close_keeps_the_newest_journals() {
        let dir = tempfile::tempdir().unwrap();
        let at = |p: &str| dir.path().join(p).to_str().unwrap().to_owned();
        let names = [
            "2026-a.jsonl",
            "2026-b.jsonl",
            "2026-c.jsonl",
            "2026-d.jsonl",
        ];
        for name in names {
            std::fs::write(at(name), "12345").unwrap();
        }
        std::fs::write(at("notes x.jsonl"), "").unwrap();
        std::fs::write(at("note"), "").unwrap();
        let folder = dir.path().to_str().unwrap();
        let close = |count, bytes| run(&CLOSE, &[&at("note"), folder, count, bytes]);
        assert_eq!(close("3", "1000").1, "2026-a.jsonl\n");
        assert!(!dir.path().join("note").exists());
        assert_eq!(close("3", "10").1, "2026-b.jsonl\n");
        assert_eq!(close("3", "1").1, "2026-c.jsonl\n", "the newest stays");
        assert!(dir.path().join("notes x.jsonl").exists(), "not ours");
        let gone = run(&CLOSE, &["/nonexistent", "/nonexistent", "3", "1"]);
        assert_eq!((gone.0, gone.2.as_str()), (0, ""));
    }

    #[test]
    fn tree_refuses_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let at = |p: &str| dir.path().join(p).to_str().unwrap().to_owned();
        let owner = run(
            &Script {
                tag: "id",
                text: "echo $(id -u):$(id -g)",
                deadline: SHORT,
            },
            &[],
        )
        .1;
        let (code, _, err) = run(
            &TREE,
            &[
                "711",
                owner.trim(),
                &at("a"),
                "700",
                owner.trim(),
                &at("a/b"),
            ],
        );
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(dir.path().join("a/b").is_dir());
        std::os::unix::fs::symlink("/tmp", dir.path().join("l")).unwrap();
        assert_eq!(run(&TREE, &["711", owner.trim(), &at("l")]).0, 1);
    }
}
