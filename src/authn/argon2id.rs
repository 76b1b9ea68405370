//! Argon2id (RFC 9106) as a PHC string, in memory that goes back to the system.

use argon2::password_hash::phc::{self, Output, ParamsString, Salt};
use argon2::password_hash::{CustomizedPasswordHasher, Error, PasswordHasher, Result};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// The least that is asked for, of which only what is used becomes memory.
///
/// glibc keeps in its heaps what has been given back, and takes larger blocks from the system and gives them back to it.
/// What is larger grows with each of these, but never beyond 32 MiB: so whatever needs more than that goes back at once,
/// where the system wipes it.
const LEAST_BLOCKS: usize = 33 << 10;

/// Argon2 with these parameters.
pub(super) struct Argon2id {
    algorithm: Algorithm,
    version: Version,
    params: Params,
}

impl Argon2id {
    /// The current version of Argon2id.
    pub(super) const fn new(params: Params) -> Self {
        Self { algorithm: Algorithm::Argon2id, version: Version::V0x13, params }
    }

    /// The hash of no password that anybody knows.
    pub(super) fn of_nobody(&self) -> Result<phc::PasswordHash> {
        self.written(&rand::random::<[u8; 16]>(), &rand::random::<[u8; Params::DEFAULT_OUTPUT_LEN]>())
    }

    fn written(&self, salt: &[u8], output: &[u8]) -> Result<phc::PasswordHash> {
        Ok(phc::PasswordHash {
            algorithm: self.algorithm.ident(),
            version: Some(self.version.into()),
            params: ParamsString::try_from(&self.params)?,
            salt: Some(Salt::new(salt)?),
            hash: Some(Output::new(output)?),
        })
    }
}

impl PasswordHasher<phc::PasswordHash> for Argon2id {
    fn hash_password_with_salt(&self, password: &[u8], salt: &[u8]) -> Result<phc::PasswordHash> {
        let len = self.params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let mut output = [0; Output::MAX_LENGTH];
        let output = output.get_mut(..len).ok_or(Error::OutputSize)?;
        let blocks = self.params.block_count();
        let mut memory = Vec::new();
        memory.try_reserve_exact(blocks.max(LEAST_BLOCKS)).map_err(|_| Error::Internal)?;
        memory.resize(blocks, Block::new());
        let argon2 = Argon2::new(self.algorithm, self.version, self.params.clone());
        argon2.hash_password_into_with_memory(password, salt, output, &mut memory)?;
        self.written(salt, output)
    }
}

/// By which hashes are verified, with the parameters that they were made with.
impl CustomizedPasswordHasher<phc::PasswordHash> for Argon2id {
    type Params = Params;

    fn hash_password_customized(
        &self,
        password: &[u8],
        salt: &[u8],
        algorithm: Option<&str>,
        version: Option<u32>,
        params: Params,
    ) -> Result<phc::PasswordHash> {
        let algorithm = algorithm.map_or(Ok(self.algorithm), Algorithm::try_from)?;
        let version = version.map_or(Ok(self.version), Version::try_from)?;
        Self { algorithm, version, params }.hash_password_with_salt(password, salt)
    }
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier;

    use super::*;

    #[test]
    fn hashes_are_those_of_the_library() {
        for (memory, passes, lanes, output) in [(8_192, 1, 1, None), (64, 2, 3, Some(64)), (256, 1, 2, Some(10))] {
            let params = Params::new(memory, passes, lanes, output).unwrap();
            let own =
                Argon2id::new(params.clone()).hash_password_with_salt(b"correct horse", b"sixteen bytes of").unwrap();
            let library = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            assert_eq!(own, library.hash_password_with_salt(b"correct horse", b"sixteen bytes of").unwrap());
            let verifier = Argon2id::new(Params::DEFAULT);
            verifier.verify_password(b"correct horse", &own).unwrap();
            verifier.verify_password(b"correct horsE", &own).unwrap_err();
        }
    }

    #[test]
    fn nobody_has_a_hash_of_the_same_parameters() {
        let argon2 = Argon2id::new(Params::new(64, 1, 1, None).unwrap());
        let (nobody, somebody) = (argon2.of_nobody().unwrap(), argon2.hash_password(b"correct horse").unwrap());
        let shape =
            |hash: &phc::PasswordHash| (hash.algorithm, hash.version, hash.params.clone(), hash.to_string().len());
        assert_eq!(shape(&nobody), shape(&somebody));
        assert_ne!(nobody, argon2.of_nobody().unwrap());
        argon2.verify_password(b"", &nobody).unwrap_err();
    }
}
