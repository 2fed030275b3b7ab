using System.Text.Json;
using Provisioner.Resources;

namespace Provisioner.Progress;

/// <summary>
/// What Ubuntu's installer posts: curtin's webhook reporter sends each event of subiquity and of the curtin it runs, whatever its level, as
/// <c>name</c>, <c>event_type</c> (<c>start</c>, <c>finish</c>), <c>result</c> (<c>SUCCESS</c>, <c>WARN</c>, <c>FAIL</c>) and <c>description</c>. Names are
/// paths, and events nest by them: some hundreds, of which a dozen are stages.
/// </summary>
internal static class SubiquityReport
{
    private const string CurtinStage = "stage-";

    /// <summary>The report in it; null with no reason when it is neither a stage nor inside one.</summary>
    /// <param name="line">What it says, as a line of the log; null when it cannot be read.</param>
    public static StageReport? Read(string body, out string? line, out string? wrong)
    {
        (line, wrong) = (null, null);
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            string? Text(string key) => root.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
            if (root.ValueKind != JsonValueKind.Object || Text("name") is not { } name)
            {
                wrong = "a webhook's body is a JSON object with name and event_type";
                return null;
            }
            var (type, result) = (Text("event_type"), Text("result"));
            var description = Texts.OneLine(Text("description"), 500) is { Length: > 0 } said ? said : null;
            line = Texts.OneLine($"{type}: {name}{(result is null ? "" : $": {result}")}{(description is null ? "" : $": {description}")}", 1000);
            return type switch
            {
                "start" => Report(name, StageState.Running, description),
                "finish" => Report(name, result == "FAIL" ? StageState.Failed : StageState.Done, description),
                _ => null,
            };
        }
        catch (JsonException)
        {
            wrong = "a webhook's body is a JSON object with name and event_type";
            return null;
        }
    }

    // subiquity/Install/install/curtin_install/run_curtin_step/cmd-install/stage-extract/builtin/cmd-extract: of what lies between, subiquity of
    // 20.04 and of 24.04 have not the same, so only the ends are looked at.
    private static StageReport? Report(string name, StageState state, string? description)
    {
        var parts = name.Split('/', StringSplitOptions.RemoveEmptyEntries);
        switch (parts)
        {
            case [_, "Install", "install", "curtin_install", ..]:
                var stage = Array.FindIndex(parts, part => part.StartsWith(CurtinStage, StringComparison.Ordinal));
                return stage >= 0 ? Stage(parts[stage][CurtinStage.Length..], state, description, stage < parts.Length - 1)
                    : state == StageState.Failed && parts.Length == 4 ? Stage("curtin-install", state, description, isInner: false)
                    : null;
            case [_, "Install", "install", var phase, .. var inside]:
                return Stage(phase, state, description, inside.Length > 0);
            // These run our own scripts, which report themselves, or last from the first to the last moment. Their failure ends the installation.
            case [_, "Install", "install"]:
                return state == StageState.Failed ? Stage("install", state, description, isInner: false) : null;
            case [_, "Early" or "Late", "run"]:
                return state == StageState.Failed ? Stage($"{parts[1]}-commands", state, description, isInner: false) : null;
            case [_, "apply_autoinstall_config"] or [_, _, "apply_autoinstall_config"]:
                return state == StageState.Failed ? Stage("autoinstall", state, description, isInner: false) : null;
            // Others go on beside: looking for updates, for drivers, for where in the world it is. They may fail, and do.
            default:
                return null;
        }
    }

    private static StageReport? Stage(string name, StageState state, string? description, bool isInner)
    {
        // An end inside a stage says nothing new.
        if (isInner && state == StageState.Done)
            return null;
        var stage = new string([.. name.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-')]);
        stage = stage.Length > Stages.LongestName ? stage[..Stages.LongestName].TrimEnd('-') : stage;
        return Stages.IsName(stage) ? new StageReport(stage, state, description, isInner) : null;
    }
}
