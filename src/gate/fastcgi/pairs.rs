//! Names with values, as parameters and values are written (FastCGI 1.0, section 3.4).

/// The bytes end within a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the parameters end within a name or a value")]
pub(super) struct Truncated;

/// A name and its value.
pub(super) type Pair<'a> = (&'a [u8], &'a [u8]);

/// Reads all pairs, in their order. Names may be there several times.
pub(super) fn read(mut bytes: &[u8]) -> Result<Vec<Pair<'_>>, Truncated> {
    let mut pairs = Vec::new();
    while !bytes.is_empty() {
        let name_len = take_len(&mut bytes)?;
        let value_len = take_len(&mut bytes)?;
        pairs.push((take(&mut bytes, name_len)?, take(&mut bytes, value_len)?));
    }
    Ok(pairs)
}

/// Appends a pair whose name and value are shorter than 128 bytes, or nothing.
pub(super) fn append_short(to: &mut Vec<u8>, (name, value): Pair<'_>) {
    let len = |text: &[u8]| u8::try_from(text.len()).ok().filter(|len| *len < LONG);
    if let (Some(name_len), Some(value_len)) = (len(name), len(value)) {
        to.extend([name_len, value_len]);
        to.extend_from_slice(name);
        to.extend_from_slice(value);
    }
}

/// The bit that tells a length of four bytes from one of one byte.
const LONG: u8 = 0x80;

fn take_len(bytes: &mut &[u8]) -> Result<usize, Truncated> {
    let (&first, rest) = bytes.split_first().ok_or(Truncated)?;
    if first & LONG == 0 {
        *bytes = rest;
        return Ok(first.into());
    }
    let (&[b3, b2, b1, b0], rest) = bytes.split_first_chunk().ok_or(Truncated)?;
    *bytes = rest;
    let len = u32::from_be_bytes([b3 & !LONG, b2, b1, b0]);
    usize::try_from(len).map_err(|_| Truncated)
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Result<&'a [u8], Truncated> {
    let (taken, rest) = bytes.split_at_checked(len).ok_or(Truncated)?;
    *bytes = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_have_one_byte_or_four() {
        let pairs = [(b"a".as_slice(), b"bc".as_slice()), (b"", b"")];
        assert_eq!(read(b"\x01\x02abc\x00\x00").unwrap(), pairs);
        assert_eq!(read(b"\x80\x00\x00\x01\x80\x00\x00\x02abc\x00\x00").unwrap(), pairs);
        let mut long = b"\x01\x80\x00\x01\x00a".to_vec();
        long.extend([b'b'; 256]);
        assert_eq!(read(&long).unwrap(), [(b"a".as_slice(), [b'b'; 256].as_slice())]);
    }

    #[test]
    fn what_ends_within_a_pair_is_refused() {
        let whole = b"\x80\x00\x00\x01\x02abc";
        for len in 1..whole.len() {
            assert_eq!(read(&whole[..len]), Err(Truncated), "{len}");
        }
        assert_eq!(read(b"\xff\xff\xff\xff\xff\xff\xff\xffa"), Err(Truncated));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }

        #[test]
        fn what_is_written_is_read(written in proptest::collection::vec(("[A-Z_]{0,127}", "[ -~]{0,127}"), 0..8)) {
            let mut bytes = Vec::new();
            for (name, value) in &written {
                append_short(&mut bytes, (name.as_bytes(), value.as_bytes()));
            }
            let read = read(&bytes).unwrap();
            let written: Vec<_> = written.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
            prop_assert_eq!(read, written);
        }
    }
}
