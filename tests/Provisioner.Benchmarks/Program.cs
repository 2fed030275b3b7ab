using Provisioner.Benchmarks;
using Provisioner.Benchmarks.Consoles;
using Provisioner.Benchmarks.Dhcp;
using Provisioner.Benchmarks.Enrolment;
using Provisioner.Benchmarks.Http;
using Provisioner.Benchmarks.Seeds;
using Provisioner.Benchmarks.Tftp;

// Each benchmark starts its peers beside our own service and prints how they compare.
var benchmarks = new Dictionary<string, Func<string[], int>>(StringComparer.Ordinal)
{
    ["tftp"] = TftpBenchmark.Run,
    ["dhcp"] = DhcpBenchmark.Run,
    ["http"] = HttpBenchmark.Run,
    ["enrolment"] = EnrolmentBenchmark.Run,
    ["seeds"] = SeedBenchmark.Run,
    ["console"] = ConsoleBenchmark.Run,
};

// What a benchmark starts as a process of its own, to measure it apart from the load.
var services = new Dictionary<string, Func<string[], int>>(StringComparer.Ordinal)
{
    ["serve-tftp"] = TftpUnderTest.Run,
    ["serve-dhcp"] = DhcpUnderTest.Run,
    ["serve-http"] = HttpUnderTest.Run,
    ["serve-scripts"] = ScriptsUnderTest.Run,
    ["serve-console"] = ConsoleUnderTest.Run,
};

var name = args.Length == 0 ? "all" : args[0];
if (services.TryGetValue(name, out var service))
    return service(args[1..]);
if (name != "all" && !benchmarks.ContainsKey(name))
{
    Console.Error.WriteLine($"usage: Provisioner.Benchmarks {string.Join(" | ", benchmarks.Keys)} | all");
    return 2;
}
if (PrivateNetwork.Enter(args) is { } exitCode)
    return exitCode;
var failed = 0;
foreach (var (key, run) in benchmarks)
{
    if (name == "all" || name == key)
        failed |= run(args.Length == 0 ? [] : args[1..]);
}
return failed;
