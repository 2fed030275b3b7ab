using Xunit.Sdk;
using Xunit.v3;

// Every test boots machines in software emulation: two at once on two cores only make each other miss their time limits.
[assembly: Parallelization(Mode = ParallelMode.None)]
