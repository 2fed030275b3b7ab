using System.Globalization;

namespace Provisioner.Lab.Harness;

/// <summary>
/// A virtual server whose site boots the diskless image: a whole Debian with systemd soon after power-on, in which a test can run commands.
/// </summary>
internal sealed class DisklessServer(Site site, VirtualServer machine) : IAsyncDisposable
{
    private GuestShell? shell;

    /// <summary>The server itself: power, console, memory.</summary>
    public VirtualServer Machine => machine;

    /// <summary>From power-on to the end of its boot, once <see cref="WaitUntilUpAsync"/> has returned.</summary>
    public TimeSpan UpAfter { get; private set; }

    public async Task PowerOnAsync()
    {
        await machine.PowerOnAsync();
        shell = new GuestShell(machine.ShellSocket!);
    }

    public async Task PowerOffAsync()
    {
        if (shell is not null)
            await shell.DisposeAsync();
        shell = null;
        await machine.PowerOffAsync();
    }

    /// <summary>Waits for a text on its console.</summary>
    public Task<string> WaitForAsync(params string[] texts) => site.WaitForAsync(machine, texts);

    /// <summary>Waits for the end of its boot.</summary>
    /// <returns>What it reported of itself on the console, a line an item, the last of them beginning with systemd's word for its state.</returns>
    public async Task<IReadOnlyList<string>> WaitUntilUpAsync()
    {
        await WaitForAsync("boot-report.service: Deactivated successfully");
        UpAfter = machine.SincePowerOn;
        const string Reporter = " boot-report[";
        return
        [
            .. machine.Serial().Split('\n')
                .Where(line => line.Contains(Reporter, StringComparison.Ordinal))
                .Select(line => line[(line.IndexOf("]: ", line.IndexOf(Reporter, StringComparison.Ordinal), StringComparison.Ordinal) + 3)..]),
        ];
    }

    /// <summary>Runs a bash script in it as root and gives what it said.</summary>
    /// <param name="script">What to run.</param>
    /// <param name="limit">One minute when not given.</param>
    public async Task<CommandResult> RunAsync(string script, TimeSpan? limit = null)
    {
        if (shell is null)
            throw new InvalidOperationException($"The server {machine.MacAddress} is off.");
        try
        {
            return await shell.RunAsync(script, limit ?? TimeSpan.FromMinutes(1));
        }
        catch (LabException e)
        {
            throw new LabException($"{e.Message}\nIts console ends:\n{machine.SerialTail()}");
        }
    }

    /// <summary>Runs a bash script in it as root that must succeed, and gives its standard output.</summary>
    public async Task<string> DoAsync(string script, TimeSpan? limit = null) => (await RunAsync(script, limit)).OrThrow().Output;

    /// <summary>Sets its clock.</summary>
    public Task SetClockAsync(DateTimeOffset time) =>
        DoAsync(string.Create(CultureInfo.InvariantCulture, $"date --set=@{time.ToUnixTimeSeconds()}"));

    public async ValueTask DisposeAsync() => await PowerOffAsync();
}
