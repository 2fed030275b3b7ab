using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Provisioner.Appliance;
using Provisioner.Auth;
using Provisioner.Boot;
using Provisioner.Certificates;
using Provisioner.Hosts;
using Provisioner.Images;
using Provisioner.Profiles;
using Provisioner.Progress;
using Provisioner.Protocols;
using Provisioner.Resources;
using Provisioner.Storage;
using Host = Provisioner.Hosts.Host;

namespace Provisioner.Benchmarks.Consoles;

/// <summary>
/// The service as it is shipped, with so many hosts, all of which are being installed, and one person who may sign in. Arguments: data directory, port
/// of the secure plane, number of hosts. A line <c>RATE SECONDS</c> on standard input makes as many state changes.
/// </summary>
internal static class ConsoleUnderTest
{
    public const string User = "bench", Password = "correct horse battery staple";

    public static int Run(string[] arguments) =>
        RunAsync(arguments[0], int.Parse(arguments[1], CultureInfo.InvariantCulture), int.Parse(arguments[2], CultureInfo.InvariantCulture)).GetAwaiter().GetResult();

    private static async Task<int> RunAsync(string data, int port, int hosts)
    {
        var loopback = Ipv4Address.Parse("127.0.0.1");
        await using var service = ApplianceHost.Build(new ApplianceOptions
        {
            DataDirectory = data,
            Http = new HttpSettings { Address = loopback, Port = 0 },
            Tftp = new TftpSettings { Address = loopback, Port = 0 },
            Dhcp = new DhcpPorts { Port = 0, ProxyPort = 0 },
            Syslog = new SyslogOptions { Address = loopback, Port = 0 },
            Secure = new SecureOptions { Address = loopback, Port = port, Names = ["localhost"] },
            Ca = new CertificateOptions { AllowUnsynchronisedClock = true },
            Artifacts = new Artifacts.ArtifactOptions { BuiltIn = false },
            Access = new AccessOptions { RequestsPerMinute = 100_000 },
        }, logging => logging.SetMinimumLevel(LogLevel.Warning));
        await service.StartAsync();
        var writer = service.Services.GetRequiredService<StateWriter>();
        var hash = await service.Services.GetRequiredService<PasswordHasher>().HashAsync(Password, CancellationToken.None);
        await writer.ChangeAsync(editor => { Register(editor, hosts); PeopleChanges.Add(editor, User, Role.Admin, hash, null); return 0; });
        Console.WriteLine("ready");
        while (await Console.In.ReadLineAsync() is { Length: > 0 } line)
        {
            var (rate, seconds) = (int.Parse(line.Split(' ')[0], CultureInfo.InvariantCulture), int.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture));
            Console.WriteLine(await ChangeAsync(writer, hosts, rate, seconds));
        }
        await service.StopAsync();
        return 0;
    }

    private static void Register(StateEditor editor, int count)
    {
        editor.Put(new Image(new Metadata("ubuntu"), new ImageSpec { Distribution = "ubuntu", Version = "24.04", Architecture = CpuArchitecture.X64, Kernel = "linux" }));
        editor.Put(new Profile(new Metadata("worker"), new ProfileSpec { Image = "ubuntu" }));
        for (var i = 0; i < count; i++)
        {
            var name = NameOf(i);
            editor.Put(new Host(new Metadata(name), new HostSpec
            {
                MacAddresses = [new MacAddress(0x5254_0000_0000UL + (ulong)i)], Architecture = CpuArchitecture.X64, Profile = "worker", Zone = $"zone-{i % 3}",
                Location = new HostLocation { Rack = $"rack{i / 40:000}", Unit = i % 40 + 1 },
            }));
            editor.Put(new Installation { Id = $"{i:x32}", Host = name, Profile = "worker", Image = "ubuntu", OpenedAt = editor.Now, ClosesAt = editor.Now.AddHours(2), HeardAt = editor.Now, Stages = [new InstallationStage("disks", editor.Now)] });
        }
    }

    private static string NameOf(int number) => $"host{number:00000}";

    /// <returns>How many were made, and in how many seconds.</returns>
    private static async Task<string> ChangeAsync(StateWriter writer, int hosts, int rate, int seconds)
    {
        var began = TimeProvider.System.GetTimestamp();
        var made = 0;
        while (TimeProvider.System.GetElapsedTime(began) is var elapsed && elapsed.TotalSeconds < seconds)
        {
            var due = (int)(elapsed.TotalSeconds * rate) - made;
            if (due <= 0)
            {
                await Task.Delay(5);
                continue;
            }
            var tasks = Enumerable.Range(made, due).Select(number => writer.NoteAsync(editor =>
            {
                var installation = editor.Snapshot.Installations[NameOf(number * 7919 % hosts)];
                editor.Put(installation with { HeardAt = editor.Now, Stages = [installation.Stages[0] with { Message = $"Unpacking package {number}" }] });
                return 0;
            }, CancellationToken.None));
            await Task.WhenAll(tasks);
            made += due;
        }
        return string.Create(CultureInfo.InvariantCulture, $"{made} {TimeProvider.System.GetElapsedTime(began).TotalSeconds:0.00}");
    }
}
