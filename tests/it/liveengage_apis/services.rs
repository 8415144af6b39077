//! The Domain API in LivePerson's literal form: bare hosts, for each service and for all.

use connector_lab::liveengage::{Forms, SingleService};
use connector_liveengage::domain_api::{self, Service};

use super::{ACCOUNT, Client};

const ALL: [Service; 9] = [
    Service::Messaging,
    Service::Sentinel,
    Service::Idp,
    Service::Files,
    Service::History,
    Service::AgentProfiles,
    Service::Configuration,
    Service::Login,
    Service::Monitoring,
];

#[tokio::test]
async fn every_service_is_found_behind_a_bare_host_in_every_form() {
    let client = Client::new().await;
    let base: url::Url = client.simulator.base_url().parse().unwrap();
    let https = format!("https://127.0.0.1:{}/", base.port().unwrap());
    for single_service in [SingleService::Flat, SingleService::List] {
        client.simulator.set_forms(Forms { bare_hosts: true, single_service, ..Forms::newest() });
        let all = domain_api::answer(&client.call(domain_api::request(&base, &client.account)).await).unwrap();
        for service in ALL {
            assert_eq!(all.url(service).unwrap().as_str(), https);
            let mut call = domain_api::request(&base, &client.account);
            call.url.set_path(&format!("/api/account/{ACCOUNT}/service/{}/baseURI.json", service.name()));
            let one = domain_api::answer(&client.call(call).await).unwrap();
            assert_eq!(one.url(service).unwrap().as_str(), https, "{}", service.name());
        }
    }
}
