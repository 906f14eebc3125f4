//! A metric with labels: the number of labels is part of its type, and the series of one object can be removed.

use std::collections::HashMap;

use prometheus::{
    CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
    core::{Collector, MetricVec, MetricVecBuilder},
};

/// What `docs/metrics.md` says of one metric.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// Name.
    pub name: &'static str,
    /// `gauge`, `counter` or `histogram`.
    pub kind: &'static str,
    /// Labels, in the order of the table.
    pub labels: &'static [&'static str],
    /// Help text.
    pub help: &'static str,
    /// Upper bounds of a histogram's buckets, in seconds.
    pub buckets: &'static [f64],
}

/// A vector of metrics that can be made from a description.
pub(super) trait Vector: Collector + Clone + Sized + 'static {
    const KIND: &str;

    fn create(description: &Description) -> Result<Self, prometheus::Error>;
}

impl Vector for IntGaugeVec {
    const KIND: &str = "gauge";

    fn create(description: &Description) -> Result<Self, prometheus::Error> {
        Self::new(Opts::new(description.name, description.help), description.labels)
    }
}

impl Vector for GaugeVec {
    const KIND: &str = "gauge";

    fn create(description: &Description) -> Result<Self, prometheus::Error> {
        Self::new(Opts::new(description.name, description.help), description.labels)
    }
}

impl Vector for CounterVec {
    const KIND: &str = "counter";

    fn create(description: &Description) -> Result<Self, prometheus::Error> {
        Self::new(Opts::new(description.name, description.help), description.labels)
    }
}

impl Vector for IntCounterVec {
    const KIND: &str = "counter";

    fn create(description: &Description) -> Result<Self, prometheus::Error> {
        Self::new(Opts::new(description.name, description.help), description.labels)
    }
}

impl Vector for HistogramVec {
    const KIND: &str = "histogram";

    fn create(description: &Description) -> Result<Self, prometheus::Error> {
        let options = HistogramOpts::new(description.name, description.help);
        Self::new(options.buckets(description.buckets.to_vec()), description.labels)
    }
}

/// A metric with `N` labels.
pub(super) struct Family<V, const N: usize>(V);

impl<V: Vector, const N: usize> Family<V, N> {
    /// Makes the metric and puts it into the registry.
    pub(super) fn register(
        registry: &Registry,
        description: &Description,
    ) -> Result<Self, prometheus::Error> {
        let vector = V::create(description)?;
        registry.register(Box::new(vector.clone()))?;
        Ok(Self(vector))
    }
}

impl<B: MetricVecBuilder, const N: usize> Family<MetricVec<B>, N> {
    /// The series with these label values, in the order of the description; made if it does not exist.
    pub(super) fn with(&self, values: [&str; N]) -> B::M {
        self.0.with_label_values(&values)
    }

    /// Removes every series.
    pub(super) fn forget_all(&self) {
        self.0.reset();
    }

    /// Removes the series with these label values, if it is there.
    pub(super) fn forget_one(&self, values: [&str; N]) {
        // The only error is that it is not there.
        let _ = self.0.remove_label_values(&values);
    }

    /// Removes every series that carries all of these labels. A label that the metric does not have matches nothing.
    pub(super) fn forget(&self, wanted: &[(&str, &str)]) {
        for family in self.0.collect() {
            for metric in family.get_metric() {
                let labels: HashMap<&str, &str> =
                    metric.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
                if wanted.iter().all(|(name, value)| labels.get(name) == Some(value)) {
                    // The only error is that the series is gone already.
                    let _ = self.0.remove(&labels);
                }
            }
        }
    }
}

/// Declares the struct of all metrics. The doc line is the help text, and the length of the label list is in the type.
macro_rules! families {
    (@buckets) => { &[] };
    (@buckets $buckets:ident) => { $buckets };
    ($(#[$struct_doc:meta])* $struct:ident {
        $(#[doc = $help:literal] $field:ident: $vector:ident = $metric:literal [$($label:ident),*] $(in $buckets:ident)?;)*
    }) => {
        $(#[$struct_doc])*
        pub struct $struct {
            registry: prometheus::Registry,
            $(
                #[doc = $help]
                $field: $crate::observability::family::Family<
                    prometheus::$vector,
                    { <[&str]>::len(&[$(stringify!($label)),*]) },
                >,
            )*
        }

        impl $struct {
            const DESCRIPTIONS: [$crate::observability::Description; <[&str]>::len(&[$($metric),*])] = [
                $($crate::observability::Description {
                    name: $metric,
                    kind: <prometheus::$vector as $crate::observability::family::Vector>::KIND,
                    labels: &[$(stringify!($label)),*],
                    help: $help.trim_ascii(),
                    buckets: families!(@buckets $($buckets)?),
                }),*
            ];

            /// Every metric of Bongsu itself, in the order of the documentation.
            #[must_use]
            pub const fn descriptions() -> &'static [$crate::observability::Description] {
                &Self::DESCRIPTIONS
            }

            fn register(registry: prometheus::Registry) -> Result<Self, prometheus::Error> {
                let [$($field),*] = &Self::DESCRIPTIONS;
                Ok(Self {
                    $($field: $crate::observability::family::Family::register(&registry, $field)?,)*
                    registry,
                })
            }

            /// Removes every series that carries all of these labels, from every metric.
            #[allow(dead_code, reason = "a gate has one service as long as it lives")]
            fn forget(&self, wanted: &[(&str, &str)]) {
                $(self.$field.forget(wanted);)*
            }
        }
    };
}

pub(super) use families;
