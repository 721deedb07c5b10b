//! NetFlow v5 datagrams → one event a flow, in the dataset `netflow.v5`; SQL shows them as the table `flows`.
//!
//! Fixed layout only. Templates (v9, IPFIX), sFlow, roll-ups and a columnar table of their own come with the flows issue.

use event::{Event, Value, field};
use parsers::{ecs, flows::netflow_v5::FlowV5};

/// Dataset of the events.
pub const DATASET: &str = "netflow.v5";

/// Fills an empty scratch with a flow.
pub fn fill<'r>(flow: &FlowV5, event: &mut Event<'r>) {
    event.set_dataset(DATASET);
    event.set(field::EVENT_KIND, "event");
    event.set(field::EVENT_CATEGORY, "network");
    event.set(field::EVENT_TYPE, "connection");
    event.set(field::EVENT_ACTION, "netflow_flow");
    event.set(field::TIMESTAMP, Value::Time(flow.last));
    event.set(field::EVENT_START, Value::Time(flow.first));
    event.set(field::EVENT_END, Value::Time(flow.last));
    event.set(field::EVENT_DURATION, flow.last.saturating_sub(flow.first).saturating_mul(1_000));
    event.set(field::SOURCE_IP, Value::Ip(flow.source.into()));
    event.set(field::DESTINATION_IP, Value::Ip(flow.destination.into()));
    event.set(field::RELATED_IP, Value::Ip(flow.source.into()));
    event.set(field::RELATED_IP, Value::Ip(flow.destination.into()));
    ecs::protocol(event, i64::from(flow.protocol));
    // ICMP carries its type and code where the destination port would be.
    if matches!(flow.protocol, 6 | 17 | 132) {
        event.set(field::SOURCE_PORT, flow.source_port);
        event.set(field::DESTINATION_PORT, flow.destination_port);
    }
    event.set(field::SOURCE_BYTES, flow.bytes);
    event.set(field::SOURCE_PACKETS, flow.packets);
    event.set(field::NETWORK_BYTES, flow.bytes);
    event.set(field::NETWORK_PACKETS, flow.packets);
    event.set_extra("netflow.", "tcp_flags", i64::from(flow.tcp_flags));
    event.set_extra("netflow.", "type_of_service", i64::from(flow.type_of_service));
    event.set_extra("netflow.", "input_snmp", i64::from(flow.input));
    event.set_extra("netflow.", "output_snmp", i64::from(flow.output));
    event.set_extra("netflow.", "source_as", i64::from(flow.source_as));
    event.set_extra("netflow.", "destination_as", i64::from(flow.destination_as));
    event.set_extra("netflow.", "next_hop", Value::Ip(flow.next_hop.into()));
}
