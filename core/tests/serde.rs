//! Configurations as JSON: names as everywhere, defaults for what is left out, and no unknown keys.

use ruvector_attention::sdk::prelude::*;

#[test]
fn types_carry_their_names() {
    for (json, expected) in [
        (r#"{"type":"scaled-dot-product"}"#, AttentionType::ScaledDotProduct { neighbors: None }),
        (r#"{"type":"multi-head","num_heads":4}"#, AttentionType::MultiHead { num_heads: 4 }),
        (r#"{"type":"hyperbolic","curvature":0.5}"#, AttentionType::Hyperbolic { curvature: 0.5 }),
        (r#"{"type":"linear"}"#, AttentionType::Linear),
        (r#"{"type":"cross"}"#, AttentionType::Cross),
        (r#"{"type":"self-attention"}"#, AttentionType::SelfAttention),
        (r#"{"type":"auto"}"#, AttentionType::Auto),
    ] {
        let parsed: AttentionType = serde_json::from_str(json).unwrap();
        assert_eq!(parsed, expected);
        let written = serde_json::to_value(&parsed).unwrap();
        let name = written.get("type").and_then(|name| name.as_str()).unwrap();
        assert!(name == "auto" || ruvector_attention::features().contains(&name), "{name}");
        assert_eq!(serde_json::from_value::<AttentionType>(written).unwrap(), expected);
    }
    assert!(serde_json::from_str::<AttentionType>(r#"{"type":"sideways"}"#).is_err());
}

#[test]
fn configurations_have_defaults_and_refuse_the_unknown() {
    let config: AttentionConfig = serde_json::from_str(r#"{"hidden_dim":64,"num_threads":2}"#).unwrap();
    assert_eq!(
        config,
        AttentionConfig { hidden_dim: 64, num_threads: Some(2), ..AttentionConfig::default() }
    );
    assert!(serde_json::from_str::<AttentionConfig>(r#"{"hiden_dim":64}"#).is_err());
}
