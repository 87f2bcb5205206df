use crate::parse;

fn refused(settings: &[&str]) -> String {
    let text = "schema = 1\nname = \"x\"\nseed = 1\n[simulator]\nscenario = \"slots\"\n";
    let settings: Vec<String> = settings.iter().map(|text| (*text).to_owned()).collect();
    parse(text, "test", &settings).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn addresses_are_read_or_refused_with_key_and_value() {
    for right in ["127.0.0.1:9101", "localhost:9101", "[::1]:9101", "0.0.0.0:65535", "my-host.example.com:1"]
    {
        assert_eq!(refused(&[&format!("learner.metrics_address=\"{right}\"")]), "", "{right}");
        assert_eq!(refused(&[&format!("transport.weights_pull=\"tcp://{right}\"")]), "", "{right}");
    }
    let wrong = [
        "9101",
        "host",
        "host:",
        ":9101",
        "host:0",
        "host:99999",
        "::1:9101",
        "[::1]",
        "[::1:9101",
        "host:+9101",
        "host: 9101",
        "ho st:9101",
        "1.2.3:9101",
        "1.2.3.4.5:9101",
        "tcp://host:9101",
        "http://host:9101",
        "*:9101",
        "",
    ];
    for wrong in wrong {
        for key in ["learner", "actor", "replay"] {
            let text = refused(&[&format!("{key}.metrics_address=\"{wrong}\"")]);
            let named =
                text.contains(&format!("{key}.metrics_address")) && text.contains(&format!("`{wrong}`"));
            assert!(named && text.contains("HOST:PORT"), "{wrong}: {text}");
        }
    }
    for wrong in [
        "127.0.0.1:7700",
        "tcp://host",
        "tcp://host:0",
        "tcp://host:*",
        "tcp://::1:7700",
        "udp://host:7",
        "tcp://:7",
    ] {
        for key in ["transport.weights_announce", "transport.weights_pull_bind", "replay.bind"] {
            let text = refused(&[&format!("{key}=\"{wrong}\"")]);
            assert!(text.contains(key) && text.contains(&format!("`{wrong}`")), "{wrong}: {text}");
        }
    }
}

#[test]
fn two_services_on_one_address_are_refused_with_both_keys() {
    let shards = "transport.shards=[\"tcp://127.0.0.1:7710\", \"tcp://localhost:7710\"]";
    let spread = "transport.shards=[\"tcp://a:7710\", \"tcp://b:7710\"]";
    for (settings, one, other) in [
        (vec![shards], "transport.shards[0]", "transport.shards[1]"),
        (
            vec!["transport.weights_pull=\"tcp://127.0.0.1:7700\""],
            "transport.weights_announce",
            "transport.weights_pull",
        ),
        (
            vec!["transport.weights_pull=\"tcp://[::ffff:127.0.0.1]:7711\""],
            "transport.shards[1]",
            "transport.weights_pull",
        ),
        (
            vec!["transport.weights_announce_bind=\"tcp://0.0.0.0:7701\""],
            "transport.weights_announce_bind",
            "transport.weights_pull",
        ),
        (
            vec!["learner.metrics_address=\"0.0.0.0:7700\""],
            "transport.weights_announce",
            "learner.metrics_address",
        ),
        (vec!["actor.metrics_address=\"localhost:7711\""], "transport.shards[1]", "actor.metrics_address"),
        (
            vec!["actor.metrics_address=\"127.0.0.1:9100\"", "replay.metrics_address=\"127.0.0.1:9100\""],
            "replay.metrics_address",
            "actor.metrics_address",
        ),
        (
            vec![spread, "replay.bind=\"tcp://*:7710\"", "replay.metrics_address=\"0.0.0.0:7710\""],
            "replay.bind",
            "replay.metrics_address",
        ),
    ] {
        let text = refused(&settings);
        assert!(text.contains(&format!("`{one}` and `{other}`")), "{settings:?}: {text}");
    }
    // On machines of their own services may have the same ports.
    let metrics = ["learner", "replay", "actor"].map(|key| format!("{key}.metrics_address=\"0.0.0.0:9100\""));
    assert_eq!(refused(&[spread, &metrics[0], &metrics[1], &metrics[2]]), "");
}
