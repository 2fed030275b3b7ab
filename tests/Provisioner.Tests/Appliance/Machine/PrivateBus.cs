using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Provisioner.Appliance.Bus;

namespace Provisioner.Tests.Appliance.Machine;

/// <summary>A real dbus-daemon of the test's own, where python3-dbusmock plays the system's services.</summary>
internal sealed class PrivateBus : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly TemporaryDirectory directory = new();
    private readonly Dictionary<string, Process> services = [];
    private Process? daemon;

    public string Address => $"unix:path={directory["bus"]}";

    public BusOptions Options => new() { Address = Address, ReconnectAfter = TimeSpan.FromMilliseconds(50) };

    public static async Task<PrivateBus> StartAsync()
    {
        foreach (var program in new[] { "/usr/bin/dbus-daemon", "/usr/bin/busctl", "/usr/lib/python3/dist-packages/dbusmock/__main__.py" })
        {
            if (!File.Exists(program))
                Assert.Skip($"not installed here: {program}");
        }
        var bus = new PrivateBus();
        File.WriteAllText(bus.directory["bus.conf"], $"""
            <!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
            <busconfig>
              <type>system</type>
              <listen>{bus.Address}</listen>
              <policy context="default">
                <allow send_destination="*" eavesdrop="true"/>
                <allow receive_sender="*"/>
                <allow own="*"/>
                <allow user="*"/>
              </policy>
            </busconfig>
            """);
        await bus.StartDaemonAsync();
        return bus;
    }

    public SystemBus Connect(TimeSpan? answerWithin = null) =>
        new(Options with { AnswerWithin = answerWithin ?? Patience }, TimeProvider.System, NullLogger<SystemBus>.Instance);

    public async Task StartDaemonAsync()
    {
        daemon = Start("dbus-daemon", $"--config-file={directory["bus.conf"]}", "--nofork", "--nopidfile", "--print-address=1");
        using var patience = new CancellationTokenSource(Patience);
        Assert.NotNull(await daemon.StandardOutput.ReadLineAsync(patience.Token));
    }

    /// <summary>Ends the daemon, as a crash does; its services end with it.</summary>
    public async Task KillDaemonAsync()
    {
        await EndAsync(daemon!);
        foreach (var service in services.Values)
            await EndAsync(service);
        services.Clear();
    }

    /// <summary>A service with one object, as one of dbusmock's templates makes it.</summary>
    public Task StartTemplateAsync(string service, string template, string parameters = "{}") =>
        StartServiceAsync(service, "--template", template, "--parameters", parameters);

    /// <summary>A service with one object without properties.</summary>
    public Task StartObjectAsync(string service, string path, string @interface) => StartServiceAsync(service, service, path, @interface);

    public async Task StopAsync(string service)
    {
        await EndAsync(services[service]);
        services.Remove(service);
    }

    /// <summary>SIGSTOP: it is there and does not answer. SIGCONT: it does, late.</summary>
    public async Task SignalAsync(string service, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{services[service].Id}"]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Calls a method of a service, with busctl's arguments after its name.</summary>
    public async Task<string> CallAsync(params string[] arguments)
    {
        using var busctl = Start("busctl", [$"--address={Address}", .. arguments]);
        var output = busctl.StandardOutput.ReadToEndAsync();
        var error = busctl.StandardError.ReadToEndAsync();
        using var patience = new CancellationTokenSource(Patience);
        await busctl.WaitForExitAsync(patience.Token);
        Assert.True(busctl.ExitCode == 0, $"busctl {string.Join(' ', arguments)}: {await error}");
        return await output;
    }

    /// <summary>Changes properties of the object at a path, and has that signalled; each by its name, its type and its value.</summary>
    public Task SetAsync(string service, string path, string @interface, params string[] properties) =>
        CallAsync(["call", service, path, "org.freedesktop.DBus.Mock", "UpdateProperties", "sa{sv}", @interface, $"{properties.Length / 3}", .. properties]);

    /// <summary>Gives the object a method; the code is Python's, and may raise.</summary>
    public Task AddMethodAsync(string service, string path, string @interface, string name, string takes, string gives, string code) =>
        CallAsync("call", service, path, "org.freedesktop.DBus.Mock", "AddMethod", "sssss", @interface, name, takes, gives, code);

    /// <summary>How often the object's method was called, with what.</summary>
    public Task<string> CallsOfAsync(string service, string path, string method) =>
        CallAsync("call", service, path, "org.freedesktop.DBus.Mock", "GetMethodCalls", "s", method);

    public static async Task UntilAsync(Func<bool> condition, Func<string> now)
    {
        var watch = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(watch.Elapsed < Patience, $"it is still: {now()}");
            await Task.Delay(10);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await KillDaemonAsync();
        directory.Dispose();
    }

    private async Task StartServiceAsync(string service, params string[] arguments)
    {
        services[service] = Start("/usr/bin/python3", ["-m", "dbusmock", "--system", .. arguments]);
        var watch = Stopwatch.StartNew();
        while (!(await CallAsync("list", "--no-legend")).Split('\n').Any(line => line.StartsWith(service + " ", StringComparison.Ordinal)))
        {
            Assert.False(services[service].HasExited, services[service].HasExited ? await services[service].StandardError.ReadToEndAsync() : "");
            Assert.True(watch.Elapsed < Patience, $"{service} did not come");
            await Task.Delay(20);
        }
    }

    private Process Start(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["DBUS_SYSTEM_BUS_ADDRESS"] = Address;
        return Process.Start(start)!;
    }

    private static async Task EndAsync(Process process)
    {
        if (!process.HasExited)
            process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
    }
}
