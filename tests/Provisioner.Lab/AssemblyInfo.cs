using Xunit.Sdk;
using Xunit.v3;

// Most tests boot one machine in software emulation, which keeps one core busy: two of them go on at once. More would only make each other miss
// their time limits.
[assembly: Parallelization(Mode = ParallelMode.Collections, MaxThreads = 2)]
