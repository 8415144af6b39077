//! The channels that the lab simulates. To add one, add its folder and a line here.

use crate::{channel::Channel, sms_gateway, whatsapp};

/// All channels.
pub static ALL: [&dyn Channel; 2] = [&sms_gateway::Sms, &whatsapp::WhatsAppChannel];
