//! Rejects combinations of values that are each valid but do not fit together.

use std::time::Duration;

use arauto_settings::layers::{ConfigError, Layers, Settings};

use super::Config;

/// All combinations that do not fit together.
pub(super) fn judge(layers: &Layers<Config>) -> Vec<ConfigError> {
    [
        outbox_holds_two_messages,
        somewhere_is_listened,
        tls_has_a_certificate,
        required_accounts_have_a_file,
        a_node_has_a_name,
    ]
    .into_iter()
    .filter_map(|rule| rule(layers).err())
    .collect()
}

/// With room for fewer than two messages, a session that is sent a message while it takes another would be ended.
fn outbox_holds_two_messages(layers: &Layers<Config>) -> Result<(), ConfigError> {
    let limits = &layers.config.limits;
    if limits.outbox_bytes >= 2 * limits.message_bytes {
        return Ok(());
    }
    let place = |key| Config::find("limits", key).unwrap_or_default();
    let (message, outbox) = (place("message_bytes"), place("outbox_bytes"));
    // The setting from the higher layer, or the later one, is reported: it made the pair impossible.
    if layers.origins[message] > layers.origins[outbox] {
        let most = limits.outbox_bytes / 2;
        Err(layers.refusal(message, format!("at most half of limits.outbox_bytes: {most} or less")))
    } else {
        let least = limits.message_bytes * 2;
        Err(layers.refusal(outbox, format!("at least twice limits.message_bytes: {least} or more")))
    }
}

/// Without a listening address for messages or the page, no client could connect.
fn somewhere_is_listened(layers: &Layers<Config>) -> Result<(), ConfigError> {
    let Config { server, tls, web, .. } = &layers.config;
    if [&server.listen, &tls.listen, &web.listen, &web.tls_listen].iter().any(|listen| !listen.is_empty()) {
        return Ok(());
    }
    let listen = Config::find("server", "listen").unwrap_or_default();
    Err(layers.refusal(
        listen,
        "at least one address, because tls.listen, web.listen and web.tls_listen have none".to_owned(),
    ))
}

/// Without a certificate and its key, no TLS connection could be answered.
fn tls_has_a_certificate(layers: &Layers<Config>) -> Result<(), ConfigError> {
    let Config { tls, web, media, .. } = &layers.config;
    let missing = [("certificate", &tls.certificate), ("key", &tls.key)]
        .into_iter()
        .find(|(_, path)| path.as_os_str().is_empty());
    let listening = [
        ("tls", "listen", &tls.listen),
        ("web", "tls_listen", &web.tls_listen),
        ("media", "tls_listen", &media.tls_listen),
    ]
    .into_iter()
    .find(|(_, _, addresses)| !addresses.is_empty());
    match (missing, listening) {
        (Some((key, _)), Some((section, listen, _))) => {
            let listen = Config::find(section, listen).unwrap_or_default();
            Err(layers.refusal(listen, format!("[], because tls.{key} is not set")))
        }
        _ => Ok(()),
    }
}

/// Without an accounts file, required accounts would keep every client out.
fn required_accounts_have_a_file(layers: &Layers<Config>) -> Result<(), ConfigError> {
    let accounts = &layers.config.accounts;
    if !accounts.required || !accounts.file.as_os_str().is_empty() {
        return Ok(());
    }
    let required = Config::find("accounts", "required").unwrap_or_default();
    Err(layers.refusal(required, "false, because accounts.file is not set".to_owned()))
}

/// Least outbox of a node's client. A client that has twice its outbox waiting is disconnected. Before the registry knows
/// that an outbox is full, it takes up to three batches, and a node's batch has up to 128 KiB: 64 KiB, and a frame of the
/// log.
const MIN_OUTBOX_BYTES_OF_NODE: usize = 512 * 1024;

/// Longest wait of a node for clients that read slowly. Meanwhile it carries out nothing, and after 7 s of that the others
/// give it up.
const MAX_SLOW_READER_WAIT_OF_NODE: Duration = Duration::from_secs(5);

/// Without a name, a node could not be told from the others; two replicas are lost with either of two servers.
fn a_node_has_a_name(layers: &Layers<Config>) -> Result<(), ConfigError> {
    let cluster = &layers.config.cluster;
    let place = |key| Config::find("cluster", key).unwrap_or_default();
    if cluster.servers.is_empty() {
        Ok(())
    } else if cluster.node.is_empty() {
        Err(layers.refusal(place("node"), "a name, because cluster.servers is set".to_owned()))
    } else if layers.config.limits.outbox_bytes < MIN_OUTBOX_BYTES_OF_NODE {
        let outbox_bytes = Config::find("limits", "outbox_bytes").unwrap_or_default();
        Err(layers.refusal(outbox_bytes, "at least 524288, because cluster.servers is set".to_owned()))
    } else if layers.config.limits.slow_reader_wait > MAX_SLOW_READER_WAIT_OF_NODE {
        let slow_reader_wait = Config::find("limits", "slow_reader_wait").unwrap_or_default();
        Err(layers.refusal(slow_reader_wait, "at most 5s, because cluster.servers is set".to_owned()))
    } else if cluster.replicas == 2 {
        Err(layers.refusal(place("replicas"), "1 or 3".to_owned()))
    } else {
        Ok(())
    }
}
