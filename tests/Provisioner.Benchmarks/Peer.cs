using System.Diagnostics;
using System.Globalization;

namespace Provisioner.Benchmarks;

/// <summary>What a process and its children took until now.</summary>
/// <param name="CpuSeconds">User and system time, of children that ended, too.</param>
/// <param name="ResidentBytes">Memory in RAM; pages shared by parent and child are counted once for each.</param>
internal readonly record struct Usage(double CpuSeconds, long ResidentBytes);

/// <summary>A server under test, as a process of its own: started, measured from outside, ended.</summary>
internal sealed class Peer : IDisposable
{
    private readonly Process process;
    private readonly List<string> output = [];
    private readonly string? group;

    private Peer(string name, Process process, string? group)
    {
        Name = name;
        this.group = group;
        this.process = process;
    }

    public string Name { get; }

    public int Id => process.Id;

    /// <summary>Starts it; what it writes is kept for <see cref="Output"/>.</summary>
    public static Peer Start(string name, string program, params string[] arguments)
    {
        var own = MakeGroup(name);
        // The shell joins the control group before it becomes the server.
        string[] command = own is null ? [program, .. arguments] : ["sh", "-c", "echo $$ > \"$1/cgroup.procs\" && shift && exec \"$@\"", "sh", own, program, .. arguments];
        var started = Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var peer = new Peer(name, started, own);
        DataReceivedEventHandler keep = (_, line) =>
        {
            lock (peer.output)
            {
                if (line.Data is not null && peer.output.Count < 1000)
                    peer.output.Add(line.Data);
            }
        };
        started.OutputDataReceived += keep;
        started.ErrorDataReceived += keep;
        started.BeginOutputReadLine();
        started.BeginErrorReadLine();
        return peer;
    }

    /// <summary>The full path of a program, or null when it is not installed.</summary>
    public static string? Find(string program, params string[] otherFolders) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Concat(["/usr/sbin", "/sbin", .. otherFolders])
            .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    public string Output
    {
        get
        {
            lock (output)
                return string.Join('\n', output);
        }
    }

    public bool HasEnded => process.HasExited;

    /// <summary>Gives it a line on standard input and waits for the line it answers with.</summary>
    public async Task<string> AskAsync(string line)
    {
        int Lines()
        {
            lock (output)
                return output.Count;
        }
        var before = Lines();
        await process.StandardInput.WriteLineAsync(line);
        while (Lines() == before)
            await Task.Delay(20);
        lock (output)
            return output[before];
    }

    public Usage Measure()
    {
        var ticks = 0L;
        var resident = 0L;
        foreach (var id in WithDescendants(process.Id))
        {
            if (ReadStat(id) is not { } stat)
                continue;
            // utime, stime, and of children that were waited for cutime, cstime (proc(5)).
            ticks += stat[11] + stat[12] + stat[13] + stat[14];
            resident += stat[21] * Environment.SystemPageSize;
        }
        return new Usage(GroupSeconds() ?? ticks / 100.0, resident);
    }

    public void Dispose()
    {
        if (!process.HasExited)
            process.Kill(entireProcessTree: true);
        process.WaitForExit(5000);
        process.Dispose();
        RemoveGroup();
    }

    /// <summary>
    /// A control group for the server: only there the kernel counts, in nanoseconds, what children took that nobody waited for, as
    /// tftpd-hpa's. Without one /proc is read, which knows hundredths of the living and the waited for.
    /// </summary>
    private static string? MakeGroup(string name)
    {
        foreach (var root in (string[])["/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup"])
        {
            if (!File.Exists(Path.Combine(root, "cpuacct.usage")) && !File.Exists(Path.Combine(root, "cgroup.controllers")))
                continue;
            try
            {
                // What a run that was killed left behind: the kernel removes only empty ones.
                foreach (var left in Directory.GetDirectories(root, "provisioner-benchmark-*").Where(left => File.ReadAllText($"{left}/cgroup.procs").Length == 0 && !left.Contains($"-{Environment.ProcessId}-", StringComparison.Ordinal)))
                    Directory.Delete(left);
                return Directory.CreateDirectory(Path.Combine(root, $"provisioner-benchmark-{Environment.ProcessId}-{name}")).FullName;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
            }
        }
        return null;
    }

    private double? GroupSeconds()
    {
        if (group is null)
            return null;
        if (File.Exists($"{group}/cpuacct.usage"))
            return long.Parse(File.ReadAllText($"{group}/cpuacct.usage"), CultureInfo.InvariantCulture) / 1e9;
        var usage = File.ReadLines($"{group}/cpu.stat").First(line => line.StartsWith("usage_usec ", StringComparison.Ordinal));
        return long.Parse(usage.AsSpan("usage_usec ".Length), CultureInfo.InvariantCulture) / 1e6;
    }

    private void RemoveGroup()
    {
        try
        {
            if (group is not null)
                Directory.Delete(group);
        }
        catch (IOException)
        {
            // A child is still ending; an empty group that stays behind costs nothing.
        }
    }

    private static IEnumerable<int> WithDescendants(int root)
    {
        yield return root;
        string[] tasks;
        try
        {
            tasks = Directory.GetDirectories($"/proc/{root}/task");
        }
        catch (DirectoryNotFoundException)
        {
            yield break;
        }
        foreach (var task in tasks)
        {
            string children;
            try
            {
                children = File.ReadAllText($"{task}/children");
            }
            catch (IOException)
            {
                continue;
            }
            foreach (var child in children.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                foreach (var id in WithDescendants(int.Parse(child, CultureInfo.InvariantCulture)))
                    yield return id;
            }
        }
    }

    /// <summary>The numbers behind the name in /proc/PID/stat; [0] is the state, which is no number.</summary>
    private static long[]? ReadStat(int id)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{id}/stat");
            return [.. text[(text.LastIndexOf(')') + 2)..].Split(' ').Select(word => long.TryParse(word, CultureInfo.InvariantCulture, out var number) ? number : 0)];
        }
        catch (IOException)
        {
            return null;
        }
    }
}
