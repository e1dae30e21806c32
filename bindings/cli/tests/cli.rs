//! The program as a user and a script meet it.

mod common;

use common::{floats, Place};

/// A query of two rows, three keys and values, in a place.
fn small() -> Place {
    let place = Place::new();
    place.write("q.json", "[[1, 0], [0, 1]]");
    place.write("k.json", "[[1, 0], [0, 1], [1, 1]]");
    place.write("v.json", "[[1, 2], [3, 4], [5, 6]]");
    place
}

const COMPUTE: [&str; 7] = ["compute", "-q", "q.json", "-k", "k.json", "--values", "v.json"];

fn compute<'a>(extra: &[&'a str]) -> Vec<&'a str> {
    [&COMPUTE[..], extra].concat()
}

#[test]
fn every_help_fits_80_columns_and_teaches_by_example() {
    let place = Place::new();
    for words in [
        &["--help"][..],
        &["compute", "--help"],
        &["benchmark", "--help"],
        &["convert", "--help"],
        &["serve", "--help"],
        &["repl", "--help"],
        &["config", "--help"],
        &["config", "show", "--help"],
        &["config", "init", "--help"],
        &["completions", "--help"],
        &["man", "--help"],
        &["features", "--help"],
        &["-h"],
        &["compute", "-h"],
    ] {
        let run = place.done(words);
        let long: Vec<&str> = run.text().lines().filter(|line| line.chars().count() > 80).collect();
        assert!(long.is_empty(), "{words:?}: {long:#?}");
        assert!(!run.text().contains('\x1b'), "no colour in a pipe");
    }
    for command in ["compute", "benchmark", "convert", "repl"] {
        assert!(place.done(&[command, "--help"]).text().contains("Example"), "{command}");
    }
    assert!(place.done(&["--help"]).text().contains("Exit codes:"));
    assert!(place.done(&["--version"]).text().starts_with("ruvector-attention "));
}

#[test]
fn values_have_no_short_flag_for_v_is_verbose() {
    let place = small();
    let run = place.done(&compute(&["-v", "-a", "cross", "-o", "o.f32"]));
    assert!(run.stderr.contains("kernel"), "debug messages: {}", run.stderr);
    assert!(place.run(&["compute", "-q", "q.json", "-k", "k.json", "-v", "v.json"]).code == 2);
}

#[test]
fn messages_go_to_stderr_and_results_to_stdout_or_a_file() {
    let place = small();
    let run = place.done(&compute(&["-a", "cross", "-o", "o.f32"]));
    assert!(run.stdout.is_empty());
    assert_eq!(run.stderr, "Computing cross-attention\nDone: 4 values (2 x 2) saved to o.f32\n");
    let piped = place.done(&compute(&["-a", "cross"]));
    assert_eq!(piped.stdout, place.read("o.f32"));
    assert!(piped.stderr.ends_with("saved to stdout\n"));
    let json = place.done(&compute(&["-a", "cross", "--json"])).json();
    assert_eq!(json["attention_type"], "cross-attention");
    let result: Vec<Vec<f32>> = serde_json::from_value(json["result"].clone()).unwrap();
    assert_eq!(result.concat(), piped.floats());
    assert!(json["times_ms"]["compute"].as_f64().unwrap() >= 0.0);
}

#[test]
fn stdin_and_stdout_take_every_format() {
    let place = small();
    let whole = place.done(&compute(&["-a", "cross"])).floats();
    let words = ["compute", "-a", "cross", "-q", "-", "-k", "k.json", "--values", "v.json", "-o", "-"];
    for format in ["f32", "bin", "npy", "safetensors", "json", "csv"] {
        let input = place.done(&["convert", "q.json", "-", "--format", format]).stdout;
        let flags = [&words[..], &["--format", format, "--hidden-dim", "2"]].concat();
        let run = place.run_with(&flags, &input);
        assert_eq!(run.code, 0, "{format}: {}", run.stderr);
        let back = place.run_with(&["convert", "-", "o.f32", "--format", format], &run.stdout);
        assert_eq!(back.code, 0, "{format}: {}", back.stderr);
        assert_eq!(floats(&place.read("o.f32")), whole, "{format}");
    }
}

#[test]
fn each_class_of_failure_has_its_code_and_says_what_to_do() {
    let place = small();
    let missing = place.refused(1, &["compute", "-q", "no.npy", "-k", "k.json", "--values", "v.json"]);
    assert!(missing.contains("Failed to load query from no.npy: "), "{missing}");
    place.write("bad.f32", [0; 7]);
    let bad = place.refused(1, &["compute", "-q", "q.json", "-k", "bad.f32", "--values", "v.json"]);
    assert!(bad.contains("Failed to load keys from bad.f32: 7 bytes is not a whole number"), "{bad}");
    let unknown = place.refused(2, &compute(&["-a", "quadratic"]));
    assert!(unknown.contains("quadratic") && unknown.contains("hyperbolic"), "{unknown}");
    let heads = place.refused(3, &compute(&["-a", "multi-head", "--num-heads", "3"]));
    assert!(heads.contains("hidden_dim: found 2, needed a multiple of num_heads"), "{heads}");
    let zero = place.refused(3, &compute(&["-a", "cross", "--neighbors", "0"]));
    assert!(zero.contains("neighbors"), "{zero}");
    let unsaved = place.refused(4, &compute(&["-a", "cross", "-o", "no/folder/o.f32"]));
    assert!(unsaved.contains("Failed to save output to no/folder/o.f32: "), "{unsaved}");
    let format = place.refused(2, &compute(&["-a", "cross", "-o", "o.xlsx"]));
    assert!(format.contains("names end in .f32, .bin, .npy, .safetensors, .json or .csv"), "{format}");
    assert!(place.refused(2, &["compute", "-q", "q.json"]).contains("--keys and --values are needed"));
    assert_eq!(place.run(&[]).code, 2);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    use std::process::Stdio;
    let place = small();
    let mut child = place
        .command()
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
}

/// Runs with a configuration file of this content.
fn configured(text: &str) -> Place {
    let place = small().with("RUVECTOR_CONFIG", "c.toml");
    place.write("c.toml", text);
    place
}

// D43: one observable effect a key. Those of [server] are tested with the server.

#[test]
fn attention_default_type_is_the_mechanism_without_a() {
    let kind =
        |place: Place| place.done(&compute(&["--json", "--num-heads", "2"])).json()["attention_type"].clone();
    assert_eq!(kind(small()), "multi-head");
    assert_eq!(kind(configured("[attention]\ndefault_type = \"linear\"")), "linear");
}

#[test]
fn attention_num_heads_is_the_number_of_heads() {
    assert_eq!(small().run(&compute(&[])).code, 3, "8 heads do not divide 2");
    let one = configured("[attention]\nnum_heads = 1").done(&compute(&[])).floats();
    let two = configured("[attention]\nnum_heads = 2").done(&compute(&[])).floats();
    assert_ne!(one, two);
    assert_eq!(one, small().done(&compute(&["-a", "cross"])).floats());
}

#[test]
fn attention_hidden_dim_is_the_length_of_a_query() {
    let shape = |place: Place| {
        for name in ["q", "k", "v"] {
            place.write_floats(&format!("{name}.f32"), &[0.5, 0.25, 0.125, 1.0]);
        }
        let words = ["compute", "-a", "cross", "-q", "q.f32", "-k", "k.f32", "--values", "v.f32", "--json"];
        place.done(&words).json()["shape"].clone()
    };
    assert_eq!(shape(small()), serde_json::json!([1, 4]));
    assert_eq!(shape(configured("[attention]\nhidden_dim = 2")), serde_json::json!([2, 2]));
}

#[test]
fn attention_dropout_is_what_a_training_pass_drops() {
    let train = |share: &str| {
        let place = configured(&format!("[attention]\ndropout = {share}"));
        place.done(&compute(&["-a", "cross", "--training", "7"])).floats()
    };
    let plain = small().done(&compute(&["-a", "cross"])).floats();
    assert_eq!(train("0.0"), plain);
    assert_ne!(train("0.9"), plain);
    let unused = configured("[attention]\ndropout = 0.9").done(&compute(&["-a", "cross"])).floats();
    assert_eq!(unused, plain, "without --training nothing is dropped");
}

#[test]
fn optimization_use_simd_chooses_the_kernel() {
    let kernel = |place: Place| place.done(&compute(&["-a", "cross", "--json"])).json()["kernel"].clone();
    assert_eq!(kernel(configured("[optimization]\nuse_simd = false")), "scalar");
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        assert_ne!(kernel(configured("[optimization]\nuse_simd = true")), "scalar");
    }
}

#[test]
fn optimization_num_threads_is_the_number_of_threads() {
    let threads = |place: Place| place.done(&compute(&["-a", "cross", "--json"])).json()["threads"].clone();
    assert_eq!(threads(configured("[optimization]\nnum_threads = 3")), 3);
    assert_eq!(threads(configured("[optimization]\nnum_threads = 1")), 1);
}

#[test]
fn optimization_batch_size_is_the_number_of_queries_at_a_time() {
    let batches = |place: Place| place.done(&compute(&["-a", "cross", "--json"])).json()["batches"].clone();
    assert_eq!(batches(small()), 1);
    assert_eq!(batches(configured("[optimization]\nbatch_size = 1")), 2);
}

#[test]
fn logging_level_and_format_rule_the_messages() {
    let stderr = |text: &str| configured(text).done(&compute(&["-a", "cross"])).stderr;
    assert_eq!(stderr("[logging]\nlevel = \"error\""), "");
    assert!(stderr("[logging]\nlevel = \"debug\"").contains("kernel"));
    let lines = stderr("[logging]\nformat = \"json\"");
    for line in lines.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).expect("a JSON object a line");
        assert!(entry["message"].is_string() && entry["level"] == "INFO", "{line}");
    }
    assert!(lines.contains("Computing cross-attention"));
}

#[test]
fn config_show_names_origins_and_init_writes_a_file_that_changes_nothing() {
    let place = configured("[server]\nport = 9000\n").with("RUVECTOR_SERVER_HOST", "127.0.0.2");
    let shown = place.done(&["config", "show"]);
    assert!(shown.text().contains("server.port = 9000  (file c.toml)"), "{}", shown.text());
    assert!(shown.text().contains("server.host = \"127.0.0.2\"  (environment RUVECTOR_SERVER_HOST)"));
    assert!(shown.text().contains("attention.num_heads = 8  (default)"));
    assert!(shown.text().lines().all(|line| line.len() <= 80));
    assert!(place.done(&["-v", "config", "show"]).text().contains("logging.level = \"debug\"  (flag)"));
    let json = place.done(&["config", "show", "--json"]).json();
    assert_eq!(json["server.port"], serde_json::json!({"value": 9000, "origin": "file c.toml"}));

    let fresh = Place::new();
    fresh.done(&["config", "init"]);
    assert!(fresh.path().join("ruvector-attention/config.toml").exists(), "the user's own file");
    let values = |run: common::Run| -> Vec<serde_json::Value> {
        run.json().as_object().unwrap().values().map(|entry| entry["value"].clone()).collect()
    };
    let with = values(fresh.done(&["config", "show", "--json"]));
    assert_eq!(with, values(Place::new().done(&["config", "show", "--json"])));
    assert!(fresh.refused(2, &["config", "init"]).contains("--force"));
}

#[test]
fn wrong_settings_are_all_told_and_init_still_works() {
    let place = configured("[sever]\n[attention]\nnum_haeds = 2\n").with("RUVECTOR_LOGGING_LEVLE", "x");
    let message = place.refused(2, &compute(&[]));
    for expected in
        ["did you mean 'server'?", "did you mean 'num_heads'?", "did you mean 'RUVECTOR_LOGGING_LEVEL'?"]
    {
        assert!(message.contains(expected), "{expected} not in {message}");
    }
    place.done(&["config", "init", "new.toml"]);
    place.done(&["features"]);
}

#[test]
fn the_sample_configuration_has_the_specified_values() {
    let text = include_str!("../examples/config.toml");
    let place = configured(text);
    let json = place.done(&["config", "show", "--json"]).json();
    for (key, value) in [
        ("attention.default_type", serde_json::json!("multi-head")),
        ("attention.num_heads", 8.into()),
        ("attention.hidden_dim", 128.into()),
        ("attention.dropout", 0.1.into()),
        ("optimization.use_simd", true.into()),
        ("optimization.num_threads", 4.into()),
        ("optimization.batch_size", 64.into()),
        ("server.port", 8080.into()),
        ("server.max_batch_size", 256.into()),
        ("server.timeout_ms", 5000.into()),
        ("server.max_connections", 1000.into()),
        ("logging.level", "info".into()),
        ("logging.format", "json".into()),
    ] {
        assert_eq!(json[key]["value"], value, "{key}");
        assert_eq!(json[key]["origin"], "file c.toml", "{key}");
    }
}

#[test]
fn the_sample_data_computes() {
    let place = Place::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/sample_data");
    let file = |name: &str| format!("{folder}/{name}");
    for (kind, extra) in [
        ("scaled-dot-product", vec![]),
        ("multi-head", vec!["--num-heads", "2"]),
        ("hyperbolic", vec!["--project"]),
        ("linear", vec![]),
        ("cross", vec!["--neighbors", "2"]),
    ] {
        let (q, k, v) = (file("query.csv"), file("keys.npy"), file("values.json"));
        let words = ["compute", "-a", kind, "-q", &q, "-k", &k, "--values", &v, "-o", "out.csv"];
        place.done(&[&words[..], &extra].concat());
        assert_eq!(place.read("out.csv").iter().filter(|byte| **byte == b'\n').count(), 2, "{kind}");
    }
}

#[test]
fn convert_keeps_every_number_or_refuses() {
    let place = Place::new();
    place.write("a.csv", "0.1,2\n-3e38,1e-45\n");
    place.done(&["convert", "a.csv", "a.npy"]);
    place.done(&["convert", "a.npy", "a.safetensors", "--tensor", "x"]);
    place.done(&["convert", "a.safetensors", "a.json", "--tensor", "x"]);
    place.done(&["convert", "a.json", "b.csv"]);
    assert_eq!(place.read("b.csv"), b"0.1,2.0\n-3e38,1e-45\n");
    let lost = place.refused(1, &["convert", "a.csv", "half.npy", "--dtype", "f16"]);
    assert!(lost.contains("element 0 is 0.1") && lost.contains("--round"), "{lost}");
    let far = place.refused(1, &["convert", "a.csv", "half.npy", "--dtype", "f16", "--round"]);
    assert!(far.contains("beyond the range of f16"), "{far}");
    assert!(!place.path().join("half.npy").exists() && !place.path().join("half.npy.partial").exists());
    place.write("h.json", "[0.5, 1, 65504]");
    place.done(&["convert", "h.json", "h.npy", "--dtype", "f16"]);
    assert_eq!(place.read("h.npy").len(), 128 + 6);
    place.done(&["convert", "h.npy", "h.bin"]);
    assert_eq!(floats(&place.read("h.bin")), [0.5, 1.0, 65504.0]);
    place.write("d.bin", [0.1f64.to_le_bytes(), 3.0f64.to_le_bytes()].concat());
    let wide = ["convert", "d.bin", "d.json", "--input-dtype", "f64"];
    place.done(&wide);
    assert_eq!(place.read("d.json"), b"[0.1, 3.0]\n", "text keeps the digits of a float64");
    assert!(place.refused(1, &["convert", "d.bin", "d.npy", "--input-dtype", "f64"]).contains("--round"));
    place.done(&["convert", "d.bin", "d.npy", "--input-dtype", "f64", "--round"]);
    place.write("n.f32", f32::NAN.to_le_bytes());
    assert!(place.refused(1, &["convert", "n.f32", "n.json"]).contains("JSON has no such number"));
    place.done(&["convert", "n.f32", "n.csv"]);
}

#[test]
fn convert_shapes_and_refuses_wrong_ones() {
    let place = Place::new();
    place.write_floats("a.f32", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    place.done(&["convert", "a.f32", "a.json", "--shape", "2,3"]);
    assert_eq!(place.read("a.json"), b"[[1.0, 2.0, 3.0],\n [4.0, 5.0, 6.0]]\n");
    place.done(&["convert", "a.f32", "a.npy", "--shape", "1,2,3"]);
    assert!(place.refused(2, &["convert", "a.npy", "a.csv"]).contains("[1, 2, 3]: give --shape"));
    assert!(place
        .refused(2, &["convert", "a.f32", "b.npy", "--shape", "4,2"])
        .contains("6 numbers do not make"));
    assert!(place.refused(2, &["convert", "a.f32", "b.f32", "--dtype", "f16"]).contains("name it .bin"));
    assert!(place
        .refused(2, &["convert", "a.f32", "b.json", "--dtype", "f32"])
        .contains("text has no dtype"));
}

#[test]
fn benchmark_compares_with_a_baseline() {
    let place = Place::new();
    let quick =
        ["benchmark", "--types", "linear,cross", "--dims", "8", "--neighbors", "5", "--iterations", "20"];
    let run = place.done(&[&quick[..], &["-o", "before.json"]].concat());
    assert!(run.text().starts_with("Type ") && run.text().lines().all(|line| line.len() <= 80));
    let report: serde_json::Value = serde_json::from_slice(&place.read("before.json")).unwrap();
    assert_eq!(report["results"].as_array().unwrap().len(), 2);
    assert!(report["machine"]["arch"].is_string() && report["results"][0]["p95_ms"].is_number());
    let baseline = ["--baseline", "before.json", "--fail-above", "1e9"];
    place.done(&[&quick[..], &baseline].concat());
    let mut faster = report.clone();
    for entry in faster["results"].as_array_mut().unwrap() {
        entry["median_ms"] = 1e-9.into();
    }
    place.write("before.json", faster.to_string());
    let run = place.run(&[&quick[..], &["--baseline", "before.json", "--fail-above", "10"]].concat());
    assert_eq!(run.code, 5);
    assert!(
        run.stderr.contains("slower than the baseline") && run.text().starts_with("Type "),
        "{}",
        run.stderr
    );
    assert_eq!(place.run(&[&quick[..], &["--fail-above", "10"]].concat()).code, 2);
    assert_eq!(place.run(&[&quick[..], &["--baseline", "no.json"]].concat()).code, 1);
}

#[test]
fn the_repl_reads_a_pipe_and_stops_at_the_first_mistake() {
    let place = small();
    let lines = "load query q.json\nload keys k.json\nload values v.json\nset num_heads 2\ncompute\nsave result r.f32\n";
    let run = place.run_with(&["repl"], lines.as_bytes());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.text().lines().all(|line| line.len() <= 80), "{}", run.text());
    let expected = place.done(&compute(&["--num-heads", "2"])).floats();
    assert_eq!(floats(&place.read("r.f32")), expected);
    let run = place.run_with(&["repl"], b"load query q.json\n\nload keys none.npy\nquit\n");
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("line 3: Failed to load tensor from none.npy"), "{}", run.stderr);
    assert_eq!(run.text(), "query: [2, 2]\n");
    assert_eq!(place.run_with(&["repl"], b"lod\n").code, 2);
}

#[test]
fn completions_and_manual_pages_know_the_commands() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(place.done(&["completions", shell]).text().contains("benchmark"), "{shell}");
    }
    assert!(place.done(&["man"]).text().starts_with(".ie") || place.done(&["man"]).text().contains(".TH"));
    place.done(&["man", "--all", "docs"]);
    let count = |folder: &str| std::fs::read_dir(place.path().join(folder)).unwrap().count();
    assert!(count("docs/man") >= 8 && count("docs/completions") == 5);
    assert!(
        String::from_utf8_lossy(&place.read("docs/man/ruvector-attention-compute.1")).contains("neighbors")
    );
}

#[test]
fn features_are_those_of_the_core() {
    let json = Place::new().done(&["features", "--json"]).json();
    assert_eq!(json, serde_json::json!(attention::features()));
}
