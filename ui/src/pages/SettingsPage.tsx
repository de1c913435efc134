/** The settings in force, where each comes from and where to change it; and what is kept of calls. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { settingsQuery } from "../api/management";
import type { Setting } from "../api/schema";
import { RulesTable } from "../components/manage/RulesTable";
import { Problem } from "../components/Problem";
import { ScrollX } from "../components/ScrollX";
import { Skeleton } from "../components/Skeleton";
import { useMe } from "../lib/me";
import { usePageTitle } from "../lib/page-title";
import { changedBy, matches, nameIn, type Section, sectionsOf, shownValue } from "../lib/settings-view";
import "../styles/manage.css";

function SettingRow({ setting }: { setting: Setting }) {
  const isDefault = setting.source === "default";
  return (
    <tr data-testid="setting" className={isDefault ? "" : "chosen"}>
      <th scope="row" title={setting.key}>
        <code>{nameIn(setting)}</code>
      </th>
      <td className="setting-value" data-label="Value">
        <code className={setting.value === null ? "muted" : ""}>{shownValue(setting.value)}</code>
        {setting.secret && setting.value !== null && <small className="muted"> secret, never shown</small>}
      </td>
      <td className={isDefault ? "muted" : ""} data-label="From">
        {setting.source}
      </td>
      <td className="muted change" data-label="Change by">
        {changedBy(setting)}
      </td>
    </tr>
  );
}

function SectionTable({ section }: { section: Section }) {
  const title = section.name ? `[${section.name}]` : "General";
  return (
    <section className="panel" aria-label={title}>
      <div className="panel-head">
        <h2>{section.name ? <code>{title}</code> : title}</h2>
      </div>
      <ScrollX name={`${title}, scrolling`}>
        <table className="table settings-table cards" aria-label={title}>
          <thead className="visually-hidden">
            <tr>
              <th scope="col">Setting</th>
              <th scope="col">Value</th>
              <th scope="col">From</th>
              <th scope="col">Change it by</th>
            </tr>
          </thead>
          <tbody>
            {section.settings.map((setting) => (
              <SettingRow key={setting.key} setting={setting} />
            ))}
          </tbody>
        </table>
      </ScrollX>
    </section>
  );
}

function AllSettings() {
  const found = useQuery(settingsQuery);
  const [words, setWords] = useState("");
  const [chosen, setChosen] = useState(false);
  if (found.error) return <Problem error={found.error} retry={() => void found.refetch()} />;
  if (!found.data) return <Skeleton name="Settings" lines={10} height={26} />;
  const shown = found.data.items.filter(
    (setting) => matches(setting, words) && (!chosen || setting.source !== "default"),
  );
  return (
    <>
      <div className="row">
        <input
          className="input settings-search"
          type="search"
          aria-label="Find a setting"
          placeholder="Find a setting"
          data-testid="find-setting"
          value={words}
          onChange={(event) => setWords(event.target.value)}
        />
        <label className="check">
          <input type="checkbox" checked={chosen} onChange={(event) => setChosen(event.target.checked)} />
          <span>Only what is set</span>
        </label>
        <span className="grow" />
        <span className="muted">
          Flags win over the environment, the environment over the file. New values count after a start, most
          of them after a rolling restart too.
        </span>
      </div>
      {shown.length === 0 && <p className="muted">No setting is like that.</p>}
      {sectionsOf(shown).map((section) => (
        <SectionTable key={section.name} section={section} />
      ))}
    </>
  );
}

export function SettingsPage() {
  usePageTitle("Settings");
  const me = useMe();
  const seesAll = me?.role === "admin" && me.project === null;
  return (
    <main id="main" className="page stack">
      <div className="page-head">
        <h1>Settings</h1>
        <span className="muted">As they are in force; they are changed where they are written, not here</span>
      </div>
      <RulesTable />
      {seesAll && <AllSettings />}
    </main>
  );
}
