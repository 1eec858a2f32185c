//! What a waiting request will probably cost.

use flow_control::Cost;
use service_model::Service;

/// Parts per 65,536 of the worst cost.
const ONE: u64 = 1 << 16;

/// Each request moves the average by this part of its difference.
const INERTIA: u64 = 16;

/// For each service, the share of the worst-case cost that its requests really cost lately.
#[derive(Clone, Debug)]
pub(crate) struct Forecast([u64; Service::ALL.len()]);

impl Forecast {
    /// Half of the worst case, which is how go-ethereum's table was made.
    pub(crate) const fn new() -> Self {
        Self([ONE / 2; Service::ALL.len()])
    }

    /// What a request with this worst-case cost will cost.
    pub(crate) fn cost(&self, service: Service, worst: Cost) -> Cost {
        let share = self.0.get(service as usize).copied().unwrap_or(ONE);
        let cost = u128::from(worst.0).saturating_mul(u128::from(share)) / u128::from(ONE);
        Cost(u64::try_from(cost).unwrap_or(u64::MAX))
    }

    /// Learns from a request that was served.
    pub(crate) fn learn(&mut self, service: Service, worst: Cost, real: Cost) {
        let Some(share) = self.0.get_mut(service as usize) else { return };
        let now = u128::from(real.min(worst).0).saturating_mul(u128::from(ONE));
        let Some(now) = now.checked_div(u128::from(worst.0)) else { return };
        let now = u64::try_from(now).unwrap_or(ONE);
        *share = share.saturating_mul(INERTIA - 1).saturating_add(now).div_ceil(INERTIA);
    }
}

#[cfg(test)]
mod tests {
    use super::Forecast;
    use flow_control::Cost;
    use service_model::Service;

    #[test]
    fn the_forecast_comes_near_to_what_requests_cost() {
        let mut forecast = Forecast::new();
        let cost = |forecast: &Forecast| forecast.cost(Service::Proofs, Cost(1_200_000)).0;
        assert_eq!(cost(&forecast), 600_000);
        (0..200).for_each(|_| forecast.learn(Service::Proofs, Cost(1_200_000), Cost(20_000)));
        assert!((20_000..21_500).contains(&cost(&forecast)), "{}", cost(&forecast));
        forecast.learn(Service::Proofs, Cost(0), Cost(20_000));
        (0..200).for_each(|_| forecast.learn(Service::Proofs, Cost(9), Cost(100)));
        assert!((1_195_000..=1_200_000).contains(&cost(&forecast)), "{}", cost(&forecast));
        assert_eq!(forecast.cost(Service::Code, Cost(10)), Cost(5), "others are untouched");
    }
}
