//! What a rank computes on.

use configuration::{Device, LearnerConfig, Mode};

use crate::LearnerError;

/// The device of `rank`: its own entry of `learner.devices`. Where ranks were started from outside, one entry stands for all of
/// them; of a machine's GPUs each then takes the one that `local_rank` (`LOCAL_RANK`) says, where it says any.
///
/// To be called before the first network is made: what a GPU takes is loaded here, and libtorch counts its devices once.
///
/// # Errors
/// [`LearnerError::Config`] where entries do not go together, or there is no such GPU.
pub fn device(
    learner: &LearnerConfig,
    rank: usize,
    local_rank: Option<usize>,
) -> Result<tch::Device, LearnerError> {
    check(learner)?;
    let named = |name: Device| {
        policy::device(name).map_err(|error| {
            LearnerError::Config(format!(
                "learner.devices names \"{name}\", but {error}; name \"cpu\", or see docs/ranks.md for what a GPU takes"
            ))
        })
    };
    if learner.devices.len() > 1 {
        // All are this machine's: one that is not there should not be found by the rank that is started for it.
        learner.devices.iter().try_for_each(|name| named(*name).map(|_| ()))?;
    }
    let name = match (learner.devices.as_slice(), local_rank) {
        ([Device::Cuda(_)], Some(local)) => Device::Cuda(local as u32),
        ([only], _) => *only,
        (devices, _) => devices.get(rank).copied().ok_or_else(|| {
            LearnerError::Config(format!(
                "learner.devices names {} devices, none for rank {rank}",
                devices.len()
            ))
        })?,
    };
    named(name)
}

fn is_gpu(device: &Device) -> bool {
    matches!(device, Device::Cuda(_))
}

fn check(learner: &LearnerConfig) -> Result<(), LearnerError> {
    let fail = |message: String| Err(LearnerError::Config(message));
    let mut gpus: Vec<Device> = learner.devices.iter().copied().filter(is_gpu).collect();
    if !gpus.is_empty() && gpus.len() < learner.devices.len() {
        return fail(format!(
            "learner.devices is [{}]: ranks exchange between CPUs or between GPUs, so name devices of one kind",
            learner.devices.iter().map(Device::to_string).collect::<Vec<_>>().join(", ")
        ));
    }
    if !gpus.is_empty() && learner.mode == Mode::Lockstep {
        return fail(
            "learner.mode = \"lockstep\" needs \"cpu\" throughout learner.devices: a GPU adds up in an order that does not repeat"
                .to_owned(),
        );
    }
    gpus.sort();
    if let Some((twice, _)) = gpus.iter().zip(gpus.iter().skip(1)).find(|(one, next)| one == next) {
        return fail(format!("learner.devices names \"{twice}\" twice: every rank needs a GPU of its own"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(devices: &[&str], mode: Mode) -> Option<String> {
        let devices = devices.iter().map(|name| name.parse().unwrap()).collect();
        let learner = LearnerConfig { devices, mode, ..LearnerConfig::default() };
        device(&learner, 0, None).err().map(|error| error.to_string())
    }

    #[test]
    fn devices_that_do_not_go_together_are_refused() {
        assert_eq!(refusal(&["cpu", "cpu"], Mode::Lockstep), None);
        for (devices, mode, part) in [
            (["cpu", "cuda:0"].as_slice(), Mode::Async, "of one kind"),
            (&["cuda:1", "cuda:0", "cuda:1"], Mode::Async, "\"cuda:1\" twice"),
            (&["cuda:0"], Mode::Lockstep, "lockstep"),
            // More than any machine has.
            (&["cuda:4000000000"], Mode::Async, "NVIDIA"),
        ] {
            let refusal = refusal(devices, mode).unwrap_or_default();
            let has_gpus = torch_extension::cuda::load().is_ok();
            assert!(refusal.contains(part) || has_gpus && !refusal.is_empty(), "{devices:?}: {refusal}");
        }
    }

    #[test]
    fn every_rank_has_the_device_of_its_place() {
        let learner = LearnerConfig { devices: vec![Device::Cpu; 2], ..LearnerConfig::default() };
        assert_eq!(device(&learner, 1, None).ok(), Some(tch::Device::Cpu));
        assert!(device(&learner, 2, None).unwrap_err().to_string().contains("none for rank 2"));
        // From outside one entry is for all.
        let learner = LearnerConfig::default();
        assert_eq!(device(&learner, 3, Some(1)).ok(), Some(tch::Device::Cpu));
    }
}
