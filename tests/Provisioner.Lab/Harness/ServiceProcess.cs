using System.Text.Json;

namespace Provisioner.Lab.Harness;

/// <summary>How the service is run, where the defaults are not enough.</summary>
/// <param name="Configuration">Its configuration file.</param>
/// <param name="Environment">More variables of its environment.</param>
internal sealed record ServiceSettings(string Configuration, IReadOnlyDictionary<string, string> Environment);

/// <summary>
/// The service as it is run for real: <c>provisioner serve</c> in the appliance's namespace with a data directory of its own, spoken to
/// through its command line.
/// </summary>
internal sealed class ServiceProcess : IAsyncDisposable
{
    /// <summary>The program to run instead of the one built beside the lab: run.sh shows the published one.</summary>
    private const string ProgramVariable = "PROVISIONER_PROGRAM";

    private readonly NetworkNamespace on;
    private readonly LabProcess process;

    private ServiceProcess(NetworkNamespace on, string data, LabProcess process)
    {
        this.on = on;
        Data = data;
        this.process = process;
    }

    public static string ProgramFile { get; } = Environment.GetEnvironmentVariable(ProgramVariable) is { Length: > 0 } program
        ? program
        : Path.Combine(AppContext.BaseDirectory, "provisioner");

    /// <summary>Its data directory.</summary>
    public string Data { get; }

    /// <summary>Where its command line reaches it.</summary>
    public string Socket => Path.Combine(Data, "provisioner.sock");

    /// <summary>What it logged last, for a message.</summary>
    public string LogTail(int count = 40) => process.Tail(count);

    /// <summary>What it logged so far.</summary>
    public IReadOnlyList<string> Log => process.Lines;

    /// <summary>Whether it ended, of itself or not.</summary>
    public bool HasExited => process.HasExited;

    /// <summary>Its process id.</summary>
    public int Id => process.Id;

    /// <summary>Starts the service and waits until it answers its command line.</summary>
    /// <param name="network">Where.</param>
    /// <param name="data">Its data directory; one of its own under the network's when not given.</param>
    /// <param name="clockAhead">How far its clock is ahead of this machine's.</param>
    /// <param name="settings">Its configuration and environment; the defaults when not given.</param>
    public static Task<ServiceProcess> StartAsync(LabNetwork network, string? data = null, TimeSpan clockAhead = default, ServiceSettings? settings = null) =>
        StartAsync(network.Appliance, data ?? Path.Combine(network.Directory, "data"), clockAhead, settings);

    /// <summary>Starts the service in that namespace and waits until it answers its command line.</summary>
    public static async Task<ServiceProcess> StartAsync(NetworkNamespace on, string data, TimeSpan clockAhead = default, ServiceSettings? settings = null)
    {
        var service = Begin(on, data, clockAhead, settings);
        try
        {
            await service.AnswersAsync();
            return service;
        }
        catch
        {
            await service.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the service in that namespace and waits for nothing.</summary>
    /// <remarks>
    /// A virtual server takes its time from this machine, and this machine's clock may well be one that nobody synchronises: the service is
    /// told to trust it, so that a test means the same everywhere.
    /// </remarks>
    public static ServiceProcess Begin(NetworkNamespace on, string data, TimeSpan clockAhead = default, ServiceSettings? settings = null)
    {
        Directory.CreateDirectory(data);
        string[] environment =
        [
            .. clockAhead == default ? [] : FakeClock.Environment(clockAhead),
            .. settings?.Environment.Select(variable => $"{variable.Key}={variable.Value}") ?? [],
        ];
        string[] command =
        [
            .. environment.Length == 0 ? [] : (string[])["env", .. environment],
            ProgramFile, "serve", "--data", data, "--allow-unsynchronised-clock", .. settings is null ? [] : (string[])["--config", settings.Configuration],
        ];
        return new ServiceProcess(on, data, on.Start(command[0], command[1..]));
    }

    /// <summary>Waits until it answers its command line.</summary>
    public async Task AnswersAsync()
    {
        for (var attempt = 0; ; attempt++)
        {
            if (process.HasExited)
                throw new LabException($"'{process.Command}' ended at once:\n{LogTail()}");
            if (File.Exists(Socket) && await RunAsync("get", "hosts") is { ExitCode: 0 })
                return;
            if (attempt == 150)
                throw new LabException($"'{process.Command}' does not answer at {Socket}:\n{LogTail()}");
            await Task.Delay(200);
        }
    }

    /// <summary>Runs a <c>provisioner</c> command against it and gives what it said.</summary>
    public Task<CommandResult> RunAsync(params string[] arguments) => RunAsync(arguments, null);

    /// <summary>Runs a <c>provisioner</c> command against it that must succeed, and gives its standard output.</summary>
    public async Task<string> DoAsync(params string[] arguments) => (await RunAsync(arguments, null)).OrThrow().Output;

    /// <summary>Applies resources, written in YAML.</summary>
    public async Task ApplyAsync(string yaml) => (await RunAsync(["apply", "-f", "-"], yaml)).OrThrow();

    /// <summary>Everything recorded about a host or MAC address, oldest first.</summary>
    public async Task<IReadOnlyList<RecordedEvent>> EventsAsync(string host) =>
        JsonSerializer.Deserialize(await DoAsync("events", host, "-o", "json", "-n", "1000"), LabJson.Default.RecordedEventArray) ?? [];

    /// <summary>Starts a <c>provisioner</c> command that goes on, such as one that follows events.</summary>
    public LabProcess StartCommand(params IEnumerable<string> arguments) => on.Start(ProgramFile, [.. arguments, "--socket", Socket]);

    /// <summary>Stops it as systemd would and gives its exit code.</summary>
    public Task<int> StopAsync() => process.StopAsync(TimeSpan.FromSeconds(15));

    /// <summary>Ends it between two of its instructions (SIGKILL).</summary>
    public async Task KillAsync()
    {
        process.Kill();
        await process.WaitForExitAsync(TimeSpan.FromSeconds(15));
    }

    public async ValueTask DisposeAsync() => await process.DisposeAsync();

    private Task<CommandResult> RunAsync(string[] arguments, string? input) =>
        on.RunAsync(ProgramFile, [.. arguments, "--socket", Socket], TimeSpan.FromMinutes(2), input);
}
