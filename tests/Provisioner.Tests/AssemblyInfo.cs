using Xunit.Sdk;
using Xunit.v3;

// Many wait for other programs (shells, namespaces, API servers) and leave the processor to others meanwhile.
[assembly: Parallelization(Mode = ParallelMode.Collections, MaxThreads = 4)]
