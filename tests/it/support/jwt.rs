//! Reads JWTs as somebody does who has nothing but the published keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;

use super::World;

fn decode(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}

/// The claims of an assertion whose signature is one of a key in the published set.
pub fn verified(world: &World, token: &str) -> Value {
    let keys: Value = serde_json::from_str(&world.api("GET", "/.well-known/jwks.json", None, "").body).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let header: Value = serde_json::from_slice(&decode(header)).unwrap();
    assert_eq!((&header["alg"], &header["typ"]), (&"EdDSA".into(), &"gatepost-assertion+jwt".into()));
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).expect("the key");
    let key = VerifyingKey::from_bytes(&decode(key["x"].as_str().unwrap()).try_into().unwrap()).unwrap();
    key.verify_strict(signed.as_bytes(), &Signature::from_slice(&decode(signature)).unwrap())
        .expect("a good signature");
    serde_json::from_slice(&decode(claims)).unwrap()
}
