//! The messages of `envoy.service.auth.v3`, as far as they are used. What else Envoy sends is passed over.
//!
//! The numbers are those of Envoy's `external_auth.proto`, `attribute_context.proto`, `base.proto` and `address.proto`,
//! and of `google/rpc/status.proto` and `google/protobuf/struct.proto`. Texts are read as bytes, which are the same on
//! the wire: whether they are texts is told where they are used. No message with something of a client's in it can be
//! printed.

use bytes::Bytes;

/// `CheckRequest`: may this be done?
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) attributes: Option<AttributeContext>,
}

/// `AttributeContext`: what is asked about.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct AttributeContext {
    /// Who is at the other end of the connection to Envoy.
    #[prost(message, optional, tag = "1")]
    pub(super) source: Option<Peer>,
    #[prost(message, optional, tag = "4")]
    pub(super) request: Option<Request>,
}

/// `AttributeContext.Peer`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Peer {
    #[prost(message, optional, tag = "1")]
    pub(super) address: Option<Address>,
}

/// `Address`. An address that is not a socket's tells nothing about a client.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Address {
    #[prost(message, optional, tag = "1")]
    pub(super) socket_address: Option<SocketAddress>,
}

/// `SocketAddress`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SocketAddress {
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) address: Bytes,
}

/// `AttributeContext.Request`.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Request {
    #[prost(message, optional, tag = "2")]
    pub(super) http: Option<HttpRequest>,
}

/// `AttributeContext.HttpRequest`.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct HttpRequest {
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) method: Bytes,
    /// A map, which on the wire is its entries: so one that has a key twice is seen to have it. Envoy joins the lines of
    /// a header by commas.
    #[prost(message, repeated, tag = "3")]
    pub(super) headers: Vec<Entry>,
    /// With the query, as it came.
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) path: Bytes,
    #[prost(bytes = "bytes", tag = "5")]
    pub(super) host: Bytes,
    #[prost(bytes = "bytes", tag = "6")]
    pub(super) scheme: Bytes,
    /// In place of `headers` with `encode_raw_headers`: each line by itself.
    #[prost(message, optional, tag = "13")]
    pub(super) header_map: Option<HeaderMap>,
}

/// An entry of a map from texts to texts.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Entry {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) value: Bytes,
}

/// `HeaderMap`.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct HeaderMap {
    #[prost(message, repeated, tag = "1")]
    pub(super) headers: Vec<HeaderValue>,
}

/// `HeaderValue`: a header's name, and its value as a text or as bytes.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct HeaderValue {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) value: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) raw_value: Bytes,
}

/// `CheckResponse`. The empty one, which is what an absent or broken answer is like, allows: so nothing but
/// [`Verdict`](super::verdict::Verdict) makes one.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<Status>,
    #[prost(oneof = "HttpResponse", tags = "2, 3")]
    pub(super) http_response: Option<HttpResponse>,
    /// For Envoy's own log.
    #[prost(message, optional, tag = "4")]
    pub(super) dynamic_metadata: Option<Struct>,
}

/// `google.rpc.Status`, without its message.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Status {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
}

/// What becomes of the request.
#[derive(Clone, PartialEq, prost::Oneof)]
#[prost(skip_debug)]
#[cfg_attr(test, derive(Debug))]
pub(super) enum HttpResponse {
    #[prost(message, tag = "2")]
    Denied(DeniedHttpResponse),
    #[prost(message, tag = "3")]
    Ok(OkHttpResponse),
}

/// `DeniedHttpResponse`: what the client gets.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct DeniedHttpResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<HttpStatus>,
    #[prost(message, repeated, tag = "2")]
    pub(super) headers: Vec<HeaderValueOption>,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) body: Bytes,
}

/// `HttpStatus`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HttpStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
}

/// `OkHttpResponse`: what the request becomes on its way to the application. Envoy sets first, and removes then.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct OkHttpResponse {
    #[prost(message, repeated, tag = "2")]
    pub(super) headers: Vec<HeaderValueOption>,
    #[prost(bytes = "bytes", repeated, tag = "5")]
    pub(super) headers_to_remove: Vec<Bytes>,
}

/// `HeaderValueOption`: a header, and what is to be done with those that are there already.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct HeaderValueOption {
    #[prost(message, optional, tag = "1")]
    pub(super) header: Option<HeaderValue>,
    #[prost(enumeration = "HeaderAppendAction", tag = "3")]
    pub(super) append_action: i32,
    /// Whether an empty value counts. Envoy 1.40 does not look at it, and takes empty values.
    #[prost(bool, tag = "4")]
    pub(super) keep_empty_value: bool,
}

/// `HeaderValueOption.HeaderAppendAction`, without the two that are not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub(super) enum HeaderAppendAction {
    /// The default.
    AppendIfExistsOrAdd = 0,
    /// In place of all that are there.
    OverwriteIfExistsOrAdd = 2,
}

/// `google.protobuf.Struct`, of texts.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Struct {
    #[prost(message, repeated, tag = "1")]
    pub(super) fields: Vec<Field>,
}

/// An entry of `Struct.fields`.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Field {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<Value>,
}

/// `google.protobuf.Value`, of a text.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Value {
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) string_value: Bytes,
}
