use super::*;

fn sources(text: &str) -> (tempfile::TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    (folder, Sources { file: Some(path), ..Sources::default() })
}

fn faults(sources: &Sources) -> Vec<String> {
    match sources.load() {
        Err(Error::Config(faults)) => faults,
        other => panic!("expected faults, found {other:?}"),
    }
}

#[test]
fn every_default_is_valid() {
    let config = Sources::default().load().unwrap();
    assert_eq!(config.attention.default_type, Mechanism::MultiHead);
    assert_eq!(config.attention.hidden_dim, None);
    assert_eq!((config.server.host.to_string().as_str(), config.server.port), ("127.0.0.1", 8080));
    assert_eq!(config.logging, Logging { level: "info".into(), format: LogFormat::Text });
}

#[test]
fn flags_beat_the_environment_beats_the_file_beats_defaults() {
    let (_folder, mut sources) = sources("[attention]\nnum_heads = 2\n");
    let origin = |sources: &Sources| {
        let (value, origin) = sources.merge().unwrap().get("attention.num_heads").unwrap().clone();
        (value.as_integer().unwrap(), origin)
    };
    assert_eq!(origin(&Sources::default()), (8, Origin::Default));
    assert_eq!(origin(&sources), (2, Origin::File(sources.file.clone().unwrap())));
    let variable = "RUVECTOR_ATTENTION_NUM_HEADS".to_owned();
    sources.environment.insert(variable.clone(), "3".into());
    assert_eq!(origin(&sources), (3, Origin::Environment(variable)));
    sources.flag("attention.num_heads", Some(4));
    assert_eq!(origin(&sources), (4, Origin::Flag));
    assert_eq!(sources.load().unwrap().attention.num_heads, 4);
}

#[test]
fn unknown_words_are_errors_with_a_suggestion_and_all_are_told() {
    let (_folder, mut sources) = sources("port = 1\n[servr]\n[server]\nprot = 1\n[logging]\nzzzz = 1\n");
    sources.environment.insert("RUVECTOR_SERVER_PROT".into(), "1".into());
    let text = faults(&sources).join("\n");
    for expected in [
        "'port' stands outside a section, did you mean 'server.port'?",
        "unknown section 'servr', did you mean 'server'?",
        "[server]: unknown key 'prot', did you mean 'port'?",
        "unknown key 'zzzz', one of level, format",
        "'RUVECTOR_SERVER_PROT', did you mean 'RUVECTOR_SERVER_PORT'?",
    ] {
        assert!(text.contains(expected), "{expected}\nnot in\n{text}");
    }
}

#[test]
fn values_out_of_range_name_key_origin_and_need() {
    let text = "[attention]\ndefault_type = \"quadratic\"\nnum_heads = 0\nhidden_dim = \"x\"\ndropout = 1.0\n\
        [optimization]\nuse_simd = 1\nnum_threads = -1\n\
        [server]\nhost = \"nowhere\"\nport = 65536\ntoken = \"\"\n[logging]\nlevel = \"a=b=c\"\nformat = \"xml\"\n";
    let (_folder, sources) = sources(text);
    let faults = faults(&sources);
    assert_eq!(faults.len(), 11, "{faults:#?}");
    let found = |key: &str| faults.iter().any(|fault| fault.starts_with(&format!("{key} (file ")));
    for key in ["attention.dropout", "optimization.num_threads", "server.port", "logging.format"] {
        assert!(found(key), "{key} not in {faults:#?}");
    }
    assert!(faults.iter().any(|fault| fault.contains("quadratic")));
}

#[test]
fn a_file_that_is_not_toml_names_the_line() {
    let (_folder, sources) = sources("[server]\nport = \n");
    assert!(faults(&sources)[0].contains("line 2"), "{:?}", faults(&sources));
    let missing = Sources { file: Some("/nowhere/config.toml".into()), ..Sources::default() };
    assert!(matches!(missing.load(), Err(Error::Load { what: "configuration", .. })));
}

#[test]
fn every_key_can_be_set_by_its_variable() {
    for key in KEYS {
        let text = match key.kind {
            Kind::Text | Kind::Secret => key.default.unwrap_or(key.example).trim_matches('"').to_owned(),
            Kind::List => "http://a.example, http://b.example".to_owned(),
            Kind::Number => "0.25".to_owned(),
            Kind::Flag => "false".to_owned(),
            Kind::Count => "7".to_owned(),
        };
        let environment = BTreeMap::from([(key.variable(), text)]);
        let sources = Sources { environment, ..Sources::default() };
        sources.load().unwrap();
        let (_, origin) = sources.merge().unwrap().get(key.name).unwrap().clone();
        assert_eq!(origin, Origin::Environment(key.variable()));
    }
}
