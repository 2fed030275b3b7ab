using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Provisioner.Lab.Harness;

/// <summary>
/// What must be gone when the lab ends: its processes, namespaces and directories. A lab that ends, however it ends short of SIGKILL,
/// removes its own; what a killed one left carries that lab's process id in its name and is removed by the next lab.
/// </summary>
internal static partial class Leftovers
{
    private const string Prefix = "provisioner-lab-";

    private static readonly ConcurrentDictionary<int, bool> Processes = new();
    private static readonly ConcurrentDictionary<string, bool> Namespaces = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<string, bool> Directories = new(StringComparer.Ordinal);
    private static readonly List<PosixSignalRegistration> Signals = [];
    private static readonly CancellationTokenSource Interruption = new();
    private static int counter;
    private static bool armed;
    private static bool endsInOrder;

    /// <summary>
    /// For a program that ends in order when it is interrupted: the token is cancelled by the first Ctrl-C or SIGTERM, and only the second
    /// ends the process there and then.
    /// </summary>
    public static CancellationToken EndInOrder()
    {
        Arm();
        endsInOrder = true;
        return Interruption.Token;
    }

    /// <summary>A name no other lab uses, for a namespace or directory.</summary>
    public static string NewName() => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Environment.ProcessId}-{Interlocked.Increment(ref counter)}");

    public static void Own(int processId)
    {
        Arm();
        Processes[processId] = true;
    }

    public static void Disown(int processId) => Processes.TryRemove(processId, out _);

    public static void OwnNamespace(string name)
    {
        Arm();
        Namespaces[name] = true;
    }

    public static void DisownNamespace(string name) => Namespaces.TryRemove(name, out _);

    /// <summary>Files that the programs in a namespace see in the place of this machine's.</summary>
    public static string ConfigurationOf(string name) => Path.Combine("/etc/netns", name);

    public static void DeleteConfigurationOf(string name)
    {
        if (System.IO.Directory.Exists(ConfigurationOf(name)))
            DeleteNow(ConfigurationOf(name));
    }

    public static void OwnDirectory(string path)
    {
        Arm();
        Directories[path] = true;
    }

    public static void DisownDirectory(string path) => Directories.TryRemove(path, out _);

    /// <summary>Removes what labs left behind that are no more.</summary>
    /// <returns>0, as an exit code.</returns>
    public static async Task<int> SweepAsync()
    {
        if (System.IO.Directory.Exists("/run/netns"))
        {
            foreach (var name in System.IO.Directory.EnumerateFiles("/run/netns").Select(Path.GetFileName).OfType<string>().Where(IsOrphan))
            {
                // A process that is still inside would keep the namespace alive without a name.
                var inside = await LabProcess.RunAsync("ip", ["netns", "pids", name]);
                foreach (var id in inside.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
                    KillNow(int.Parse(id, CultureInfo.InvariantCulture));
                await LabProcess.RunAsync("ip", ["netns", "delete", name]);
            }
        }
        if (System.IO.Directory.Exists("/etc/netns"))
        {
            foreach (var name in System.IO.Directory.EnumerateDirectories("/etc/netns").Select(Path.GetFileName).OfType<string>().Where(IsOrphan))
                DeleteConfigurationOf(name);
        }
        foreach (var directory in System.IO.Directory.EnumerateDirectories(Path.GetTempPath(), Prefix + "*").Where(d => IsOrphan(Path.GetFileName(d))))
            DeleteNow(directory);
        return 0;
    }

    private static bool IsOrphan(string name) =>
        OwnerPattern().Match(name) is { Success: true } match
        && int.Parse(match.Groups["owner"].ValueSpan, CultureInfo.InvariantCulture) is var owner
        && owner != Environment.ProcessId
        && !IsLab(owner);

    private static bool IsLab(int processId)
    {
        try
        {
            // Process ids come round again: only a process that is this program counts as the owner.
            return File.ReadAllText($"/proc/{processId}/cmdline").Contains("Provisioner.Lab", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static void Arm()
    {
        lock (Signals)
        {
            if (armed)
                return;
            armed = true;
            AppDomain.CurrentDomain.ProcessExit += (_, _) => RemoveOwn();
            foreach (var signal in (PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP])
                Signals.Add(PosixSignalRegistration.Create(signal, context =>
                {
                    context.Cancel = true;
                    if (endsInOrder && !Interruption.IsCancellationRequested)
                        Interruption.Cancel();
                    else
                        Environment.Exit(130);
                }));
        }
    }

    private static void RemoveOwn()
    {
        foreach (var id in Processes.Keys)
            KillNow(id);
        foreach (var name in Namespaces.Keys)
        {
            using var ip = Process.Start("ip", ["netns", "delete", name]);
            ip.WaitForExit(5000);
            DeleteConfigurationOf(name);
        }
        foreach (var directory in Directories.Keys)
            DeleteNow(directory);
    }

    private static void KillNow(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            process.Kill();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            // Gone already.
        }
    }

    private static void DeleteNow(string directory)
    {
        try
        {
            System.IO.Directory.Delete(directory, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // In use or gone: the next lab sweeps it.
        }
    }

    [GeneratedRegex("^" + Prefix + "(?<owner>[0-9]+)-", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex OwnerPattern();
}
