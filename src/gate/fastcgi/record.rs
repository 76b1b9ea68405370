//! Records: what everything on a FastCGI connection is made of (FastCGI 1.0, section 3.3).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// The one version that there is.
const VERSION: u8 = 1;

/// How long the head of a record is, in bytes.
const HEAD_LEN: usize = 8;

/// How much one record carries: the most that keeps records aligned to eight bytes without padding.
const MAX_CONTENT_LEN: usize = 65_528;

/// The request of management records, which concern the connection (section 3.3).
pub(super) const NO_REQUEST: u16 = 0;

/// The connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    /// The first byte of a record is another one than 1.
    #[error("the record is of version {0}, expected 1")]
    Version(u8),
    /// The peer has gone, within a record or before the end of a request.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a record is for (section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    BeginRequest,
    AbortRequest,
    EndRequest,
    Params,
    Stdin,
    Stdout,
    Data,
    GetValues,
    GetValuesResult,
    UnknownType,
    /// Any other, of which there is `FCGI_STDERR`.
    Other(u8),
}

impl Kind {
    const NUMBERED: [(Self, u8); 10] = [
        (Self::BeginRequest, 1),
        (Self::AbortRequest, 2),
        (Self::EndRequest, 3),
        (Self::Params, 4),
        (Self::Stdin, 5),
        (Self::Stdout, 6),
        (Self::Data, 8),
        (Self::GetValues, 9),
        (Self::GetValuesResult, 10),
        (Self::UnknownType, 11),
    ];

    fn from_number(number: u8) -> Self {
        Self::NUMBERED.into_iter().find(|(_, own)| *own == number).map_or(Self::Other(number), |(kind, _)| kind)
    }

    /// The number on the wire.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Other(number) => number,
            known => Self::NUMBERED.into_iter().find(|(kind, _)| *kind == known).map_or(0, |(_, number)| number),
        }
    }
}

/// A record that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: Kind,
    /// The request that it belongs to, or [`NO_REQUEST`].
    pub(super) request: u16,
    /// At most 65,535 bytes.
    pub(super) content: Vec<u8>,
}

impl Record {
    /// Reads one record, and what pads it.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Result<Self, RecordError> {
        let mut head = [0; HEAD_LEN];
        from.read_exact(&mut head).await?;
        let [version, kind, request_1, request_0, content_1, content_0, padding, _reserved] = head;
        if version != VERSION {
            return Err(RecordError::Version(version));
        }
        let content_len = u16::from_be_bytes([content_1, content_0]);
        let mut content = vec![0; content_len.into()];
        from.read_exact(&mut content).await?;
        let mut rest = [0; u8::MAX as usize];
        if let Some(rest) = rest.get_mut(..padding.into()) {
            from.read_exact(rest).await?;
        }
        Ok(Self { kind: Kind::from_number(kind), request: u16::from_be_bytes([request_1, request_0]), content })
    }
}

/// Appends a whole stream: its content in as many records as it needs, and the empty record that ends it.
pub(super) fn append_stream(to: &mut Vec<u8>, kind: Kind, request: u16, content: &[u8]) {
    for part in content.chunks(MAX_CONTENT_LEN) {
        append_one(to, kind, request, part);
    }
    append_one(to, kind, request, &[]);
}

/// Appends one record. Of its content no more than a record can carry.
pub(super) fn append_one(to: &mut Vec<u8>, kind: Kind, request: u16, content: &[u8]) {
    let content = content.get(..MAX_CONTENT_LEN).unwrap_or(content);
    let len = u16::try_from(content.len()).unwrap_or_default();
    let ([request_1, request_0], [len_1, len_0]) = (request.to_be_bytes(), len.to_be_bytes());
    to.extend([VERSION, kind.number(), request_1, request_0, len_1, len_0, 0, 0]);
    to.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(mut bytes: &[u8]) -> Result<Record, RecordError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Record::read(&mut bytes))
    }

    #[test]
    fn a_record_is_read_as_the_specification_writes_it() {
        let bytes = b"\x01\x04\x01\x02\x00\x03\x05\x00abcpadds\x01";
        let record = read(bytes).unwrap();
        assert_eq!(record, Record { kind: Kind::Params, request: 0x0102, content: b"abc".to_vec() });
        assert!(matches!(read(b"\x02\x04\x00\x01\x00\x00\x00\x00"), Err(RecordError::Version(2))));
        for len in 0..bytes.len() - 1 {
            assert!(matches!(read(&bytes[..len]), Err(RecordError::Io(_))), "{len}");
        }
    }

    #[test]
    fn long_content_is_cut() {
        let mut bytes = Vec::new();
        append_stream(&mut bytes, Kind::Stdout, 1, &vec![b'a'; MAX_CONTENT_LEN + 1]);
        let mut rest = bytes.as_slice();
        for expected in [MAX_CONTENT_LEN, 1, 0] {
            let record = read(rest).unwrap();
            assert_eq!((record.kind, record.content.len()), (Kind::Stdout, expected));
            rest = &rest[HEAD_LEN + expected..];
        }
        assert!(rest.is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(record) = read(&bytes) {
                prop_assert!(record.content.len() + HEAD_LEN <= bytes.len());
            }
        }

        #[test]
        fn what_is_written_is_read(number: u8, request: u16, content in proptest::collection::vec(any::<u8>(), 1..100)) {
            let mut bytes = Vec::new();
            append_one(&mut bytes, Kind::from_number(number), request, &content);
            let record = read(&bytes).unwrap();
            prop_assert_eq!((record.kind.number(), record.request, record.content), (number, request, content));
        }
    }
}
