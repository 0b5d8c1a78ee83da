//! The UDP socket, and what an endpoint keeps over a restart of its process.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use quinn::{EndpointConfig, Runtime, TokioRuntime};
use quinn_proto::{HashedConnectionIdGenerator, RandomConnectionIdGenerator};
use ring::hmac;
use socket2::{Domain, Protocol, Socket, Type};
use sync::DeviceKey;

use crate::cork::Corked;

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

/// A socket to dial one link from. It needs no connection ids of ours, since nothing else comes to it: ids, and
/// spare ones for a change of network, would cost a meeting with nothing new 400 bytes.
pub(crate) fn dialler(from: IpAddr) -> std::io::Result<quinn::Endpoint> {
    let mut config = EndpointConfig::default();
    config.cid_generator(|| Box::new(RandomConnectionIdGenerator::new(0)));
    let socket = dual_stack(SocketAddr::new(from, 0))?;
    let runtime = Corked(Arc::new(TokioRuntime));
    let socket = runtime.wrap_udp_socket(socket)?;
    quinn::Endpoint::new_with_abstract_socket(config, None, socket, Arc::new(runtime))
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
