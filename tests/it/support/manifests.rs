//! The manifests of `deploy/kubernetes`, read with Python's `yaml`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::program::find;

/// The documents of a manifest.
pub fn read(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes").join(file);
    let program = "import json, sys, yaml\nprint(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let output = Command::new(find("GATEPOST_TEST_SMTPD", &[])).args(["-c", program]).arg(path).output().unwrap();
    assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
