//! Message traces of Exchange Online as JSON objects.
//!
//! Reference: Microsoft, "MessageTrace report" of the Office 365 reporting web service.

use event::{Event, field};

use crate::{
    ecs,
    objects::{Objects, Product, To, Values, classify},
};

pub static MESSAGE_TRACE: Objects = Objects::new(Product {
    name: "message_trace",
    dataset: "microsoft_exchange.message_trace",
    prefix: "microsoft.online_message_trace.",
    vendor: "Microsoft",
    product: "Exchange Online",
    observer: "",
    marks: &[&["\"MessageTraceId\"", "\"SenderAddress\"", "\"RecipientAddress\""]],
    not: &[],
    rows: &[
        ("Received", To::Utc("@timestamp")),
        ("StartDate", To::Utc("event.start")),
        ("EndDate", To::Utc("event.end")),
        ("Status", To::Text("event.action")),
        ("SenderAddress", To::Text("email.from.address")),
        ("SenderAddress", To::Note),
        ("RecipientAddress", To::Text("email.to.address")),
        ("RecipientAddress", To::Text("user.email")),
        ("RecipientAddress", To::Text("user.id")),
        ("RecipientAddress", To::Mail("destination.user")),
        ("RecipientAddress", To::Mail("user")),
        ("SenderAddress", To::Mail("source.user")),
        ("Subject", To::Text("email.subject")),
        ("MessageId", To::Text("email.message_id")),
        ("MessageTraceId", To::Text("email.local_id")),
        ("Organization", To::Text("destination.domain")),
        ("Organization", To::Text("organization.name")),
        ("FromIP", To::Ip("source.ip")),
        ("ToIP", To::Ip("destination.ip")),
        ("Size", To::Note),
    ],
    open: &[],
    pairs: &[],
    wraps: &[],
    finish,
});

fn finish<'r>(values: &Values<'r, '_>, event: &mut Event<'r>) {
    classify(event, "event", "email", "info");
    if let Some((_, domain)) = values.text("SenderAddress").split_once('@') {
        event.set(field::SOURCE_DOMAIN, domain);
    }
    match values.text("Status") {
        "Delivered" | "Expanded" | "Resolved" => ecs::success(event),
        "Failed" | "FilteredAsSpam" | "Quarantined" => ecs::failure(event),
        _ => {}
    }
}
