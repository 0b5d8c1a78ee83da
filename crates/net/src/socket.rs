//! The UDP socket, and what an endpoint keeps over a restart of its process.

use std::net::SocketAddr;
use std::sync::Arc;

use quinn::EndpointConfig;
use quinn_proto::HashedConnectionIdGenerator;
use ring::hmac;
use socket2::{Domain, Protocol, Socket, Type};
use sync::DeviceKey;

/// Connection ids and reset tokens that a restarted process knows again. A peer whose link ended with the
/// process (a crash, a power cut) is told so at the next packet that it sends, and dials anew; else it would
/// wait for the idle timeout. Both come from the device key, whose signatures nobody else can make.
pub(crate) fn endpoint_config(key: &DeviceKey) -> EndpointConfig {
    let reset = hmac::Key::new(hmac::HMAC_SHA256, &key.sign(b"yanxiu quic reset tokens 1"));
    let mut ids = [0; 8];
    ids.copy_from_slice(&key.sign(b"yanxiu quic connection ids 1")[..8]);
    let ids = u64::from_be_bytes(ids);
    let mut config = EndpointConfig::new(Arc::new(reset));
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
    config
}

/// A socket; one on `[::]` also serves IPv4 where the system can.
pub(crate) fn dual_stack(listen: SocketAddr) -> std::io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, Some(Protocol::UDP))?;
    if listen.is_ipv6()
        && let Err(error) = socket.set_only_v6(false)
    {
        tracing::debug!(%error, "the socket serves IPv6 alone");
    }
    socket.bind(&listen.into())?;
    Ok(socket.into())
}
