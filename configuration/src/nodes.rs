//! Worker nodes as a configuration file gives them: one entry for all that are alike.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use common::cluster::NodeSpec;

/// Most nodes of a cluster.
const MOST_NODES: usize = 100_000;

/// `count` nodes with the keys of [`NodeSpec`].
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeGroup {
    /// How many of them there are.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 100_000))]
    count: usize,
    /// CPU in thousandths of a vCPU.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    cpu_millicores: u32,
    /// Memory.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    memory_mb: u32,
    /// Network bandwidth.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    network_mbps: u32,
    /// Speed factor against the reference machine.
    #[schemars(range(min = 0.001, max = 1000.0))]
    speed: f64,
    /// Multiplies the price of what runs here.
    #[serde(default = "common::cluster::usual_price")]
    #[schemars(range(min = 0.0, max = 1e6))]
    price_class: f64,
    /// Zone, a place in the latency matrix.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    zone: u32,
}

fn one() -> usize {
    1
}

/// Every node, one by one.
pub(crate) fn expanded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NodeSpec>, D::Error> {
    let groups = Vec::<NodeGroup>::deserialize(deserializer)?;
    let total = groups.iter().fold(0_usize, |total, group| total.saturating_add(group.count));
    if total > MOST_NODES {
        return Err(serde::de::Error::custom(format!(
            "are {total} nodes; at most {MOST_NODES} are possible"
        )));
    }
    let nodes = |group: NodeGroup| {
        let node = NodeSpec {
            cpu_millicores: group.cpu_millicores,
            memory_mb: group.memory_mb,
            network_mbps: group.network_mbps,
            speed: group.speed,
            price_class: group.price_class,
            zone: group.zone,
        };
        std::iter::repeat_n(node, group.count)
    };
    Ok(groups.into_iter().flat_map(nodes).collect())
}

/// Refuses what could run nothing.
pub(crate) fn sound_node(node: &NodeSpec, _context: &()) -> garde::Result {
    let positive = node.speed > 0.0 && node.speed.is_finite() && node.price_class >= 0.0;
    if positive && node.memory_mb > 0 && node.cpu_millicores > 0 && node.network_mbps > 0 {
        return Ok(());
    }
    Err(garde::Error::new("memory, CPU, network and speed must be above 0, the price class at least 0"))
}

#[cfg(test)]
mod tests {
    use crate::parse;

    fn nodes(groups: &str) -> Result<usize, String> {
        let text = format!(
            "schema = 1\nname = \"t\"\nseed = 1\n[simulator]\nscenario = \"serverless\"\n[simulator.serverless]\nnodes = [{groups}]\n"
        );
        parse(&text, "test", &[])
            .map(|config| config.simulator.serverless.nodes.len())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn alike_nodes_are_counted_once_in_the_file() {
        let node = "cpu_millicores = 1000, memory_mb = 1024, network_mbps = 100, speed = 1.0";
        assert_eq!(nodes(&format!("{{ count = 3, {node} }}, {{ {node} }}")), Ok(4));
        let none = nodes(&format!("{{ count = 0, {node} }}")).unwrap_err();
        assert!(none.contains("simulator.serverless.nodes"), "{none}");
        let many = nodes(&format!("{{ count = 4000000000, {node} }}")).unwrap_err();
        assert!(many.contains("from 0 to 100000"), "{many}");
        let unknown = nodes(&format!("{{ cuont = 3, {node} }}")).unwrap_err();
        assert!(unknown.contains("cuont") && unknown.contains("count"), "{unknown}");
    }
}
