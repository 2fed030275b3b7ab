using System.Globalization;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab.Show;

/// <summary>What <c>show</c> was asked for.</summary>
internal sealed record ShowOptions
{
    public const int MaxMachines = 8;

    private static readonly (string Word, Firmware Firmware)[] Words =
    [
        ("uefi", Firmware.UefiX64),
        ("secureboot", Firmware.SecureBoot),
        ("arm64", Firmware.UefiArm64),
        ("http", Firmware.HttpBoot),
        ("bios", Firmware.Bios),
    ];

    public Firmware Firmware { get; init; } = Firmware.UefiX64;

    public int Machines { get; init; } = 1;

    public bool Keep { get; init; }

    /// <summary>Reads the command line; the mistake says what would be right.</summary>
    public static ShowOptions? Parse(ReadOnlySpan<string> arguments, out string? mistake)
    {
        var options = new ShowOptions();
        mistake = null;
        for (var i = 0; i < arguments.Length; i++)
        {
            var equals = arguments[i].IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? arguments[i] : arguments[i][..equals];
            if (name is "--keep")
            {
                options = options with { Keep = true };
                continue;
            }
            if (name is not ("--firmware" or "--machines"))
            {
                mistake = $"There is no option '{arguments[i]}'; there are --firmware, --machines and --keep.";
                return null;
            }
            var value = equals >= 0 ? arguments[i][(equals + 1)..] : i + 1 < arguments.Length ? arguments[++i] : "";
            if (name is "--firmware")
            {
                var known = Array.FindIndex(Words, w => w.Word == value);
                if (known < 0)
                {
                    mistake = $"--firmware is one of {string.Join(", ", Words.Select(w => w.Word))}, not '{value}'.";
                    return null;
                }
                options = options with { Firmware = Words[known].Firmware };
            }
            else if (int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count is >= 1 and <= MaxMachines)
            {
                options = options with { Machines = count };
            }
            else
            {
                mistake = $"--machines is a number from 1 to {MaxMachines}, not '{value}'.";
                return null;
            }
        }
        return options;
    }
}
