use serde_json::{Value, json};

use super::*;

fn profile() -> Profile {
    let interval = |low, high| Interval { low, high };
    let measured = Measured {
        edit_ratio: 0.3,
        interval: interval(0.2, 0.4),
        nll: Some(1.0),
        repetition: 0.0,
        truncated_share: 0.0,
        exact_copy_share: 0.25,
    };
    Profile {
        schema: SCHEMA.into(),
        name: "gentle".into(),
        vector: VectorFile { file: "vector.safetensors".into(), sha256: hash_of(b"vector") },
        operator: OPERATOR.into(),
        coefficient: 0.3,
        coefficient_interval: interval(0.1, 0.7),
        layers: vec![1, 2],
        unit: "gap".into(),
        range: TokenRange::Positions { start: 3, end: 9 },
        template: ProfileTemplate { name: "mine".into(), text: "{question} {answer}".into() },
        model: ProfileModel { fingerprint: "abc".into(), name: "m.gguf".into(), architecture: "llama".into() },
        fit: ProfileFit {
            variant: EditRatioVariant::Char,
            target: 0.3,
            slope: 0.1,
            slope_interval: interval(0.05, 0.15),
            intercept: 0.27,
            intercept_interval: interval(0.2, 0.3),
            r2: Some(0.99),
            coherent_range: interval(-1.0, 1.0),
            coherence_bound: 0.5,
            n_prompts: 24,
        },
        verified: Some(Verification { n_prompts: 12, steered: measured, unsteered: measured }),
        chosen_for: None,
        policy: None,
        domain: None,
        made_with: "redline 0.1.0".into(),
    }
}

/// What loading says of a profile in which `edit` changed something.
fn refusal(edit: impl FnOnce(&mut Value)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.json");
    let mut value = serde_json::to_value(profile()).unwrap();
    edit(&mut value);
    std::fs::write(&path, value.to_string()).unwrap();
    Profile::load(&path).unwrap_err().to_string().replace(&format!("{}: ", path.display()), "")
}

#[test]
fn comes_back_as_it_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.json");
    profile().save(&path).unwrap();
    assert_eq!(Profile::load(&path).unwrap(), profile());
    let unverified = Profile { verified: None, ..profile() };
    unverified.save(&path).unwrap();
    assert_eq!(Profile::load(&path).unwrap(), unverified);
}

#[test]
fn every_rule_is_kept() {
    assert!(refusal(|p| p["schema"] = json!("redline.profile.v2")).contains("its schema is `redline.profile.v2`"));
    assert!(refusal(|p| drop(p.as_object_mut().unwrap().remove("schema"))).contains("its schema is missing"));
    assert!(refusal(|p| p["colour"] = json!("red")).contains("unknown field `colour`"));
    assert!(refusal(|p| drop(p.as_object_mut().unwrap().remove("layers"))).contains("missing field `layers`"));
    // NaN has no place in JSON: it is written as null
    assert!(refusal(|p| p["coefficient"] = Value::Null).contains("expected f32"));
    assert!(refusal(|p| p["coefficient"] = json!(1e39)).contains("number out of range"));
    assert!(refusal(|p| p["coefficient"] = json!(1.5)).contains("beyond -1 to 1"));
    assert!(refusal(|p| p["coefficient_interval"] = json!({"low": 2, "high": 1})).contains("`coefficient_interval`"));
    assert!(refusal(|p| p["operator"] = json!("ablate")).contains("`operator` is `ablate`"));
    assert!(refusal(|p| p["layers"] = json!([])).contains("`layers` is []"));
    assert!(refusal(|p| p["layers"] = json!([2, 1])).contains("`layers` is [2, 1]"));
    assert!(refusal(|p| p["layers"] = json!([1_000_000])).contains("`layers`"));
    assert!(refusal(|p| p["unit"] = json!("metre")).contains("`unit` is `metre`"));
    assert!(refusal(|p| p["vector"]["file"] = json!("v.gguf")).contains("`file` for a GGUF vector"));
    assert!(refusal(|p| p["vector"]["sha256"] = json!("abc")).contains("64 hexadecimal digits"));
    assert!(refusal(|p| p["range"] = json!("9..3")).contains("not a token range"));
    assert!(refusal(|p| p["template"]["text"] = json!("{question}")).contains("{answer} is missing"));
}

#[test]
fn nothing_is_written_that_could_not_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.json");
    let nan = Profile { coefficient: f32::NAN, ..profile() };
    assert!(matches!(nan.save(&path), Err(ProfileError::Value { key: "coefficient", .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn another_vector_in_its_place_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.json");
    assert!(matches!(profile().check_vector(&path), Err(ProfileError::VectorMissing { .. })));
    std::fs::write(folder.path().join("vector.safetensors"), "vector").unwrap();
    profile().check_vector(&path).unwrap();
    std::fs::write(folder.path().join("vector.safetensors"), "another").unwrap();
    assert!(matches!(profile().check_vector(&path), Err(ProfileError::VectorChanged { .. })));
}

#[test]
fn large_files_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.json");
    std::fs::write(&path, vec![b' '; (MAX_BYTES + 1) as usize]).unwrap();
    assert!(matches!(Profile::load(&path), Err(ProfileError::TooLarge { .. })));
}
