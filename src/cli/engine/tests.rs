use std::fs;

use sha2::{Digest, Sha256};

use super::*;

/// A Docker configuration of its own; nothing else in the environment.
fn around() -> (tempfile::TempDir, Environment) {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment {
        host: None,
        verify: false,
        certificates: None,
        context: None,
        docker: Docker {
            folder: folder.path().to_owned(),
        },
        sockets: vec!["/nowhere/docker.sock".into()],
    };
    (folder, environment)
}

fn id(name: &str) -> String {
    hex::encode(Sha256::digest(name.as_bytes()))
}

/// Writes a context as `docker context create` does.
fn add(around: &Environment, name: &str, host: &str, skip: bool, tls: bool) {
    let folder = &around.docker.folder;
    let meta = folder.join("contexts/meta").join(id(name));
    fs::create_dir_all(&meta).unwrap();
    fs::write(
        meta.join("meta.json"),
        format!(
            r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":{skip}}}}}}}"#
        ),
    )
    .unwrap();
    if tls {
        let tls = folder.join("contexts/tls").join(id(name)).join("docker");
        fs::create_dir_all(&tls).unwrap();
        for file in ["ca.pem", "cert.pem", "key.pem"] {
            fs::write(tls.join(file), "").unwrap();
        }
    }
}

fn host(text: &str) -> EngineArg {
    EngineArg {
        address: Some(text.into()),
        ..EngineArg::default()
    }
}

fn none() -> EngineArg {
    EngineArg::default()
}

fn tls_of(found: &Found) -> Option<&str> {
    match &found.address {
        EngineAddress::Tcp { tls, .. } => tls.as_deref(),
        _ => None,
    }
}

#[test]
fn the_nearest_word_counts() {
    let (_folder, mut around) = around();
    let found = |arg: &EngineArg, around: &Environment| find(arg, around).unwrap();
    assert_eq!(
        found(&none(), &around).address.to_string(),
        "unix:///var/run/docker.sock"
    );
    add(
        &around,
        "prod",
        "ssh://ops@web1:2222/run/d.sock",
        false,
        false,
    );
    add(&around, "lab", "unix:///run/lab.sock", false, false);
    fs::write(
        around.docker.config(),
        r#"{"auths":{},"currentContext":"prod"}"#,
    )
    .unwrap();
    let by_file = found(&none(), &around);
    assert_eq!(
        by_file.address.to_string(),
        "ssh://ops@web1:2222/run/d.sock"
    );
    assert!(
        by_file.by.contains("the Docker context prod"),
        "{}",
        by_file.by
    );
    assert!(by_file.by.contains("config.json"), "{}", by_file.by);
    assert_eq!(by_file.name().unwrap().as_str(), "prod");
    around.context = Some("lab".into());
    assert_eq!(
        found(&none(), &around).address.to_string(),
        "unix:///run/lab.sock"
    );
    around.context = Some("default".into());
    assert_eq!(
        found(&none(), &around).address.to_string(),
        "unix:///var/run/docker.sock"
    );
    around.host = Some("unix:///run/other.sock".into());
    assert_eq!(found(&none(), &around).by, "DOCKER_HOST");
    assert_eq!(
        found(&host("prod"), &around).context.as_deref(),
        Some("prod")
    );
    let asked = found(&host("unix:///run/third.sock"), &around);
    assert_eq!(asked.address.to_string(), "unix:///run/third.sock");
}

#[test]
fn tls_files_come_from_the_context_or_from_where_docker_has_them() {
    let (folder, mut around) = around();
    let folder = folder.path().to_string_lossy().into_owned();
    add(&around, "far", "tcp://10.8.0.2:2376", false, true);
    let far = find(&host("far"), &around).unwrap();
    let wanted = format!("{folder}/contexts/tls/{}/docker", id("far"));
    assert_eq!(tls_of(&far), Some(wanted.as_str()));

    let plain = host("tcp://10.8.0.2");
    let found = find(&plain, &around).unwrap();
    assert_eq!(found.address.to_string(), "tcp://10.8.0.2:2376");
    assert_eq!(tls_of(&found), None, "which is refused when it is dialled");
    fs::write(format!("{folder}/key.pem"), "").unwrap();
    assert_eq!(
        tls_of(&find(&plain, &around).unwrap()),
        Some(folder.as_str())
    );

    around.host = Some("tcp://10.8.0.3:2376".into());
    assert_eq!(tls_of(&find(&none(), &around).unwrap()), None);
    around.verify = true;
    assert_eq!(
        tls_of(&find(&none(), &around).unwrap()),
        Some(folder.as_str())
    );
    around.certificates = Some("/etc/docker-tls".into());
    assert_eq!(
        tls_of(&find(&none(), &around).unwrap()),
        Some("/etc/docker-tls")
    );
    let told = EngineArg {
        tls: Some("/mine".into()),
        ..none()
    };
    assert_eq!(tls_of(&find(&told, &around).unwrap()), Some("/mine"));
    let insecure = EngineArg {
        insecure: true,
        ..none()
    };
    let found = find(&insecure, &around).unwrap();
    assert!(matches!(
        found.address,
        EngineAddress::Tcp {
            insecure: true,
            tls: None,
            ..
        }
    ));
}

#[test]
fn what_is_not_done_is_refused_with_the_remedy() {
    let (_folder, mut around) = around();
    add(&around, "loose", "tcp://10.8.0.2:2376", true, true);
    let refused = find(&host("loose"), &around).unwrap_err();
    assert!(refused.message.contains("SkipTLSVerify"), "{refused:?}");
    assert!(
        refused
            .help
            .unwrap()
            .contains("docker context update loose")
    );

    let unknown = find(&host("lose"), &around).unwrap_err();
    assert!(unknown.help.unwrap().contains("did you mean loose?"));
    let unknown = find(&host("10.8.0.2:2376"), &around).unwrap_err();
    assert!(unknown.message.contains("is no engine"), "{unknown:?}");

    let both = EngineArg {
        tls: Some("/mine".into()),
        insecure: true,
        ..host("tcp://127.0.0.1")
    };
    assert!(find(&both, &around).is_err());
    let socket = EngineArg {
        insecure: true,
        ..host("unix:///x")
    };
    assert!(find(&socket, &around).is_err());

    around.context = Some("gone".into());
    let gone = find(&none(), &around).unwrap_err();
    assert!(gone.message.starts_with("DOCKER_CONTEXT"), "{gone:?}");
    around.context = None;
    fs::write(around.docker.config(), "{").unwrap();
    assert!(
        find(&none(), &around).is_err(),
        "it may name another engine"
    );
}
