"""The panel as a user sees it: real JupyterLab and Notebook 7, a real kernel, a real endpoint, one browser.

The tests tell one story, in order, on one page: each starts from the state that the previous one left.
"""

import os
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect, sync_playwright

from jupyter_deploy.store.store import SqliteStore
from tests import notebooks
from tests.e2e.conftest import Load, until
from tests.e2e.image import keep_small_libraries
from tests.e2e.lab import KERNEL_READY, TOKEN, jupyter, launch
from tests.e2e.registry import publishing
from tests.e2e.saving import exports_records, in_both_themes, saved_html, saves_chart
from tests.images import write_small_base
from tests.validations import history

CELLS = [
    "%load_ext jupyter_deploy",
    "%deploy_panel churn",
    "import os, time\nwhile not os.path.exists('go on'):\n    time.sleep(0.05)",
    "%deploy_panel price",
]
RUN = """async number => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    notebook.activeCellIndex = number;
    window.jupyterapp.commands.execute('notebook:run-cell');
}"""
PRICED = "rate = 1.5\ndef priced(x):\n    return x * rate\n"
PUBLISHED_SECONDS = 240
SECONDS = 30


@pytest.fixture(scope="module")
def story(own_processes_throughout, shared_home, snapshots, registry_world, tmp_path_factory):
    """A stable release, a shadow and an idle one; a notebook with their panel, in JupyterLab.

    And ``price``, which is published; its image does not run, so its base need not, and it has no libraries.
    """
    home, workshop = shared_home, tmp_path_factory.mktemp("publishing")
    python = f"{sys.version_info.major}.{sys.version_info.minor}.0"
    base = write_small_base(workshop / "base", python)
    home.environment |= publishing(workshop, registry_world, base)
    place = f"{registry_world.registry.host}/panel/price"  # tests/e2e/images/test_publish.py has team/price
    home.environment["NBDEPLOY_PUBLISH_TO"] = place.replace("price", "{name}")
    tags, home.environment["BENTOML_HOME"] = snapshots
    home.environment["NBDEPLOY_KEEP_REVISIONS"] = "20"  # the idle one keeps its card until the end
    one, two, three = tags[1.0], tags[0.01], tags[0.001]
    home.run("deploy", one, "--trust")
    home.run("deploy", three, "--trust")
    url = home.json("deploy", two, "--trust")["url"]  # in the place of the other, which has become idle
    model = ("--name", "price", "--model", "priced", "--example", "2.0")
    price = home.json("deploy", notebooks.write(workshop / "price.ipynb", PRICED), *model)["release"]
    keep_small_libraries(home, price, base)
    store = SqliteStore(Path(home.environment["NBDEPLOY_HOME"]), "ada")
    for validated in history(3):
        store.keep_validation(validated.model_copy(update={"snapshot": one}))
    notebook = notebooks.write(tmp_path_factory.mktemp("panel") / "panel.ipynb", *CELLS)
    expect.set_options(timeout=SECONDS * 1000)  # a busy machine is no fault
    with jupyter(home, notebook) as lab, sync_playwright() as playwright:
        browser = launch(playwright)
        browser.new_context()
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(SECONDS * 1000)
        page.goto(f"{lab}/lab/tree/panel.ipynb?token={TOKEN}")
        page.wait_for_function("window.jupyterapp")
        page.evaluate(KERNEL_READY)
        page.evaluate(RUN, 0)
        page.evaluate(RUN, 1)
        panel = page.get_by_role("feed").get_by_role("region", name="Endpoint churn")
        panel.wait_for()
        yield SimpleNamespace(
            home=home, lab=lab, url=url, browser=browser, page=page, panel=panel, one=one, two=two, three=three,
            file=home.path / "lab" / "panel.ipynb", price=price, place=place,
        )  # fmt: skip
        browser.close()


def name(tag):
    return tag[: len("churn:") + 8]


def at(panel, revision):
    shown = panel.get_by_text(re.compile(rf"^revision {revision}\b")).first
    expect(shown).to_be_visible(timeout=SECONDS * 1000)


def opens(panel, section):
    panel.get_by_role("tab", name=section).click()


def shot(page, title):
    """A picture for ``scripts/screenshots.py``, if it runs the test."""
    folder = os.environ.get("NBDEPLOY_SCREENSHOTS")
    if folder:
        page.mouse.move(0, 0)
        page.wait_for_timeout(500)
        page.screenshot(path=f"{folder}/panel-{title}.png")


def save(story):
    """Ctrl+S from within the panel."""
    story.panel.get_by_role("button", name="Copy the URL").focus()
    story.page.keyboard.press("Control+s")


def test_every_control_has_a_name_and_is_reached_by_tab_alone(story):
    page, panel = story.page, story.panel
    page.evaluate("document.activeElement.blur()")
    panel.get_by_role("button", name="Copy the URL").focus()
    reached = []
    for _ in range(40):
        reached.append(
            page.evaluate("(document.activeElement.ariaLabel || document.activeElement.textContent).slice(0, 60)")
        )
        page.keyboard.press("Tab")
        if not page.evaluate("!!document.activeElement.closest('.nbd-Panel')"):
            break
    two, three = name(story.two), name(story.three)
    assert reached[:2] == ["Copy the URL", "Roll back…"]
    for tag in (two, three):
        assert f"Shadow {tag}" in reached
        assert f"Percent of requests copied to {tag}" in reached
        assert f"Percent of requests answered by {tag} as the canary" in reached
        assert f"Promote {tag}" in reached
    assert reached[-1] == f"Promote {three}"
    assert panel.get_by_role("img", name=f"stable {name(story.one)} 100 %, shadow {two} 100 %").count() == 1


def test_a_shadow_is_switched_and_its_percent_set_by_keys_alone(story):
    page, panel, two = story.page, story.panel, name(story.two)
    switch = panel.get_by_role("switch", name=f"Shadow {two}")
    switch.focus()
    page.keyboard.press("Space")
    at(panel, 4)
    expect(switch).not_to_be_checked()
    expect(switch).to_be_focused()
    page.keyboard.press("Enter")
    at(panel, 5)
    expect(switch).to_be_checked()
    share = panel.get_by_role("spinbutton", name=two)
    share.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("40")
    expect(panel.get_by_role("button", name=f"Apply the shadow's percent for {two}")).to_be_enabled()
    page.keyboard.press("Enter")
    at(panel, 6)
    assert story.home.json("describe", "churn")["traffic"]["shadows"] == {story.two: 40.0}
    expect(panel.get_by_role("status").first).to_contain_text("revision 6 is in force")


def test_a_change_that_somebody_else_made_meanwhile_is_shown_and_none_is_lost(story):
    page, panel, three = story.page, story.panel, name(story.three)
    slider = panel.get_by_role("slider", name=three)
    slider.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(panel.get_by_text("Preview: Set canary")).to_be_visible()
    expect(panel.get_by_role("row", name=name(story.one))).to_contain_text("stable 80 %")
    shot(page, "preview")
    story.home.run("traffic", "churn", "--shadow", f"{story.two}=55", "--reason", "more evidence")
    expect(panel.get_by_role("heading", name="Conflict:")).to_be_visible(timeout=SECONDS * 1000)
    expect(panel.get_by_role("alert").last).to_contain_text("The endpoint is at revision 7, you saw revision 6")
    expect(panel.locator(".nbd-Newer")).to_contain_text("shadow 40 % → shadow 55 % (more evidence)")
    expect(slider).to_have_value("20")
    shot(page, "conflict")
    panel.get_by_role("button", name="Refresh").click()
    panel.get_by_label("Reason").fill("a first look")
    page.keyboard.press("Enter")
    at(panel, 8)
    traffic = story.home.json("describe", "churn")["traffic"]
    assert (traffic["canary_percent"], traffic["shadows"]) == (20.0, {story.two: 55.0})
    assert story.home.json("history", "churn")[0]["reason"] == "a first look"


def test_it_counts_live_and_compares_with_a_chart(story):
    page, panel, two = story.page, story.panel, name(story.two)
    card = panel.get_by_role("article", name=two.partition(":")[2])
    with Load(story.url, clients=2) as load:
        load.wait_for(60)
        expect(card.get_by_role("definition").first).not_to_have_text("0")
        expect(card.locator("svg")).to_be_visible()
        if os.environ.get("NBDEPLOY_SCREENSHOTS"):
            in_both_themes(page, shot)
    panel.get_by_role("button", name=f"Compare {two} with stable").click()
    chart = panel.locator(".nbd-Chart img")
    chart.first.wait_for()
    expect(panel.locator(".nbd-Verdict")).to_contain_text("agree")
    verdict = panel.get_by_role("region", name="Verdict")
    expect(verdict).to_contain_text(f"against {name(story.one)}")
    expect(verdict).to_contain_text(re.compile(r"How long still: usually decided by [\d,]+ requests"))
    shot(page, "comparison")
    saves_chart(page, panel, "Latency")
    panel.get_by_role("combobox", name="Candidate").select_option(story.three)
    expect(panel.locator(".nbd-Verdict")).to_contain_text("the canary and")
    opens(panel, "Monitor")
    expect(panel.get_by_label("Summary")).to_contain_text(re.compile(r"requests[1-9]"))
    expect(panel.get_by_role("region", name="Changes in this range").locator("li").first).to_be_visible()
    chart.first.wait_for()
    shot(page, "monitor")
    opens(panel, "Logs")
    expect(panel.get_by_role("group", name="Log of the release")).to_contain_text(re.compile(r"\w"))
    shot(page, "logs")
    opens(panel, "Records")
    exports_records(panel, story.file.parent)
    opens(panel, "Releases")
    expect(chart).to_have_count(0)
    expect(card.get_by_label("Resources in use")).to_contain_text(re.compile("workers1 of 1"))


def test_what_validations_measured_is_listed_and_drawn_release_by_release(story):
    page, panel = story.page, story.panel
    opens(panel, "History")
    panel.get_by_role("heading", name="Validations").scroll_into_view_if_needed()  # they are loaded there
    listed = panel.get_by_role("list", name="Validations, newest first").locator("li")
    expect(listed).to_have_text([re.compile(f"^passed{name(story.one)}.* by ada")] * 3)
    expect(drawn := panel.locator(".nbd-Chart img")).to_have_count(2)
    for metric in ("accuracy", "log_loss"):
        expect(panel.get_by_role("img", name=f"{metric} over 3 validations")).to_be_visible()
    drawn.first.scroll_into_view_if_needed()
    shot(page, "validations")
    opens(panel, "Releases")


def test_the_controls_work_while_a_cell_runs(story):
    story.page.evaluate(RUN, 2)
    story.page.wait_for_function(
        "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'"
    )
    story.panel.get_by_role("switch", name=f"Shadow {name(story.two)}").click()
    at(story.panel, 9)
    (story.file.parent / "go on").touch()


def test_promote_and_roll_back_show_before_what_will_change(story):
    page, panel = story.page, story.panel
    panel.get_by_role("button", name=f"Promote {name(story.three)}").click()
    panel.get_by_label("Reason").fill("half of a rea")
    expect(panel.locator(".nbd-Pending .nbd-Verdict")).to_contain_text(
        "requests of the canary and", timeout=SECONDS * 1000
    )
    expect(panel.get_by_label("Reason")).to_have_value("half of a rea")
    expect(panel.get_by_role("row", name=name(story.one))).to_contain_text("no traffic")
    expect(panel.get_by_text("Without traffic, kept warm for 20 revisions")).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel.get_by_role("button", name=f"Promote {name(story.three)}")).to_be_focused()
    page.keyboard.press("Enter")
    panel.get_by_role("button", name="Confirm").click()
    at(panel, 10)
    assert story.home.json("describe", "churn")["traffic"]["stable"] == story.three
    opens(panel, "History")
    panel.get_by_role("button", name="Go back to revision 3").click()
    expect(panel.get_by_text("Preview: Go back to revision 3")).to_be_visible()
    offered = panel.get_by_role("group", name="Back to")
    expect(offered.get_by_role("radio", name="default")).to_have_count(1)
    expect(offered.get_by_role("radio", name="revision 3,")).to_be_checked()
    panel.get_by_role("button", name="Confirm").click()
    at(panel, 11)
    expect(panel.get_by_role("button", name="Go back to revision 3")).to_be_focused()
    traffic = story.home.json("describe", "churn")["traffic"]
    assert (traffic["stable"], traffic["shadows"]) == (story.one, {story.two: 100.0})


def test_every_view_shows_the_same_model_and_notebook_7_one_too(story):
    page, two = story.page, name(story.two)
    page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1")
    page.evaluate("window.jupyterapp.commands.execute('notebook:create-output-view')")
    view = page.get_by_role("tabpanel", name="Output View").get_by_role("region", name="Endpoint churn")
    at(view, 11)
    save(story)
    until(lambda: "revision 11" in saved_html(story.file))
    classic = story.browser.new_page(viewport={"width": 1200, "height": 1000})
    classic.goto(f"{story.lab}/notebooks/panel.ipynb?token={TOKEN}")
    there = classic.get_by_role("region", name="Endpoint churn")
    at(there, 11)
    shot(classic, "notebook7")
    there.get_by_role("switch", name=f"Shadow {two}").click()
    for panel in (there, view, story.panel):
        at(panel, 12)
    classic.close()


def test_what_gates_refuse_is_shown_with_its_report_and_done_all_the_same_for_a_reason(story):
    page, panel, two = story.page, story.panel, name(story.two)
    story.home.run("deploy", story.one, "--gate", "agreement >= 0.99 over 5000")
    at(panel, 13)
    panel.get_by_role("tab", name="Releases").click()
    panel.get_by_role("button", name=f"Promote {two}").click()
    expect(panel.get_by_text("Validated first, and refused if a gate fails")).to_contain_text("over 5000")
    panel.get_by_role("button", name="Confirm").click()
    refusal = panel.get_by_role("alert").last
    expect(refusal).to_contain_text("of 5000 rows so far", timeout=SECONDS * 1000)
    assert story.home.json("describe", "churn")["traffic"]["stable"] == story.one
    panel.get_by_role("dialog", name=f"Promote {story.two}").get_by_role("button", name="Report").click()
    report = page.frame_locator("iframe[title='Report of the validation']")
    expect(report.get_by_text("of 5000 rows so far").first).to_be_visible()
    assert page.locator("iframe[title='Report of the validation']").get_attribute("sandbox") == ""
    shot(page, "gates")
    panel.get_by_role("region", name="Report on").get_by_role("button", name="Close").click()
    panel.get_by_role("group", name=f"Promote {story.two}").get_by_role("button", name="Show").click()
    force = panel.get_by_role("button", name="Override the gates")
    expect(force).to_be_disabled()
    panel.get_by_label("Reason for the override").fill("a customer waits")
    force.click()
    at(panel, 14)
    card = panel.get_by_role("article", name=two.partition(":")[2])
    expect(card).to_contain_text("undecided; forced: a customer waits")
    shot(page, "forced")


def test_a_release_is_published_from_jupyterlabs_panel(story):
    page, tag, place = story.page, story.price, story.place
    page.evaluate("window.jupyterapp.commands.execute('nbdeploy:open', {name: 'price', section: 'releases'})")
    card = page.locator(".nbd-Sidebar").get_by_role("article", name=tag.partition(":")[2][:8])
    card.get_by_role("button", name=f"Publish {tag[:14]}").click()
    form = page.get_by_role("dialog", name="Publish")
    expect(form.get_by_label("Release")).to_have_value(tag)
    expect(form.get_by_label("To", exact=True)).to_have_value(place)
    shot(page, "publish-form")
    form.get_by_label("To", exact=True).fill("localhost:1/team/price")
    page.keyboard.press("Enter")
    failed = page.get_by_role("region", name=f"publish {tag} to localhost:1/team/price")
    expect(failed.locator(".nbdeploy-wrong")).to_contain_text("localhost:1", timeout=SECONDS * 1000)
    shot(page, "publish-failed")
    failed.get_by_role("button", name="Try again…").click()
    form.get_by_label("To", exact=True).fill(place)
    page.keyboard.press("Enter")
    job = page.get_by_role("region", name=f"publish {tag} to {place}")
    # It may end before its bar is seen.
    expect(job.get_by_role("progressbar", name="Progress").or_(job.get_by_text("is published")).first).to_be_visible()
    expect(job.get_by_role("list", name="Steps")).to_contain_text("distributions: kept", timeout=SECONDS * 1000)
    shot(page, "publish-working")
    expect(job.get_by_text("is published")).to_be_visible(timeout=PUBLISHED_SECONDS * 1000)
    (listed,) = story.home.json("images")["images"]
    digest = listed["image"]["digest"]
    expect(job).to_contain_text(f"podman run --rm --read-only --cap-drop=all -p 8080:8080 {place}@{digest}")
    expect(job.get_by_role("table")).to_contain_text("bento")
    expect(card).to_contain_text(f"published as {place}:{tag.partition(':')[2]}", timeout=SECONDS * 1000)
    shot(page, "publish-done")


def test_and_from_the_one_in_the_notebook(story):
    page, tag, place = story.page, story.price, story.place
    (listed,) = story.home.json("images")["images"]
    digest = listed["image"]["digest"]
    page.get_by_role("tab", name="panel.ipynb").click()
    page.wait_for_function("window.jupyterapp.shell.currentWidget.context?.path === 'panel.ipynb'")
    page.evaluate(RUN, 3)
    panel = page.get_by_role("feed").get_by_role("region", name="Endpoint price")
    panel.wait_for()
    button = panel.get_by_role("button", name=f"Publish {tag[:14]}")
    button.click()
    where = panel.get_by_label("To", exact=True)
    expect(where).to_have_value(place)
    shot(page, "publish-form-in-a-notebook")
    where.fill("localhost:1/team/price")
    page.keyboard.press("Enter")
    expect(panel.locator(".nbdeploy-wrong")).to_contain_text("localhost:1", timeout=SECONDS * 1000)
    panel.get_by_role("button", name="Try again…").click()
    expect(where).to_have_value("localhost:1/team/price")
    where.fill(f"{place}:again")
    page.keyboard.press("Enter")
    done = panel.get_by_role("region", name=f"publish {tag} to {place}:again")
    expect(done.get_by_text("is published")).to_be_visible(timeout=PUBLISHED_SECONDS * 1000)
    expect(done).to_contain_text(digest)
    expect(done).to_contain_text(f"podman run --rm --read-only --cap-drop=all -p 8080:8080 {place}@{digest}")
    expect(done).to_contain_text("0 of")  # all layers were there
    expect(panel).to_contain_text(f"published as {place}:again", timeout=SECONDS * 1000)
    shot(page, "publish-done-in-a-notebook")
    panel.get_by_role("button", name="Close").click()
    expect(button).to_be_focused()
    assert story.home.run("verify", f"{place}:again").returncode == 0
    page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 3")
    page.evaluate("window.jupyterapp.commands.execute('notebook:clear-cell-output')")  # the file is to hold one panel


def test_a_saved_notebook_keeps_the_last_state_and_shows_it_without_a_kernel(story):
    before = story.file.stat().st_size
    until(lambda: save(story) or "revision 14" in saved_html(story.file))
    assert story.file.stat().st_size < before + 2000, "an update takes the place of what was there"
    story.page.evaluate("window.jupyterapp.serviceManager.sessions.shutdownAll()")
    story.page.close()
    shutil.rmtree(story.home.path / "workspaces", ignore_errors=True)
    page = story.browser.new_page(viewport={"width": 1400, "height": 1000})
    page.goto(f"{story.lab}/lab/workspaces/later/tree/panel.ipynb?token={TOKEN}")
    page.wait_for_function("window.jupyterapp")
    page.evaluate(KERNEL_READY)
    expect(page.get_by_text("churn: healthy, revision 14")).to_be_visible(timeout=SECONDS * 1000)
    expect(page.get_by_text("model not found")).to_be_hidden()
    shot(page, "saved")
    page.close()
