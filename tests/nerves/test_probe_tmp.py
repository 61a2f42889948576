import pytest, threading
from crmkit import *
from crmkit.schema.types import *
from crmkit.schema.types import Text as T_, Integer as I_
from crmkit.values import Money as M
from crmkit.errors import *
from tests.nerves.snapshots import *
from sqlalchemy import make_url
ME="ana@acme.example"

def rep(crm, name="bo@acme.example", role="rep"):
    with crm.session(ME) as me:
        u=me.users.create(email=name, name=name)
        me.records("role_member").create(role=me.roles.one(name=role), user=u)
    return u

def test_hidden_custom_field_json_leak(crm, migrated_url):
    with crm.session(ME) as me:
        me.fields.add("account","secret",T_(), sensitive=True)
        me.fields.add("account","secret2",T_(), sensitive=True, indexed=True)
        r=me.roles.create(name="reader")
        me.records("grant").create(role=r,on="account",action="read")
        u=me.users.create(email="bo@acme.example",name="Bo"); me.records("role_member").create(role=r,user=u)
        a=me.accounts.create(name="x",secret="S",secret2="S2")
    with crm.session("bo@acme.example") as me:
        assert me.accounts.get(a.id).secret2 is None
        assert me.accounts.get(a.id).secret is None

def test_mass_update_custom_json_loss(crm):
    with crm.session(ME) as me:
        me.fields.add("account","one",T_()); me.fields.add("account","two",T_())
        a=me.accounts.create(name="x",one="1",two="2")
    with crm.session(ME) as me:
        print(me.accounts.where(name="x").update(one="11").counts)
    with crm.session(ME) as me:
        a=me.accounts.get(a.id); assert (a.one,a.two)==("11","2")

def test_bulk_dry_run_leaves_nothing(crm, migrated_url):
    d=digest(migrated_url)
    with crm.session(ME) as me:
        me.accounts.create_many([{"name":"x"}],dry_run=True)
    assert digest(migrated_url)==d

def test_failed_verb_then_commit_leaves_nothing(crm, migrated_url):
    with crm.session(ME) as me: me.fields.add("account","code",T_(),unique=True)
    d=digest(migrated_url)
    with crm.session(ME) as me:
        with pytest.raises(CrmkitError): me.fields.add("account","bad",I_(),check="nothing > 5")
        assert "bad" not in me.type_of("account").by_key
    assert digest(migrated_url)==d

def test_commit_twice(crm, migrated_url):
    with crm.session(ME) as me:
        me.accounts.create(name="x")
        me.commit()
    with crm.session(ME) as me:
        me.accounts.create(name="x"); me.commit(); me.accounts.create(name="y")
    assert broken(snapshot(migrated_url))==[]

def test_dry_run_session_commit(crm, migrated_url):
    d=digest(migrated_url)
    with crm.session(ME,dry_run=True) as me:
        me.accounts.create(name="x")
        with pytest.raises(UsageError): me.commit()
    assert digest(migrated_url)==d

def test_same_record_twice(crm, migrated_url):
    with crm.session(ME) as me:
        a=me.accounts.create(name="x")
    with crm.session(ME) as me:
        r=me.accounts.update_many([(a.id,{"name":"y"}),(a.id,{"industry":"z"})])
        print(list(r.outcomes))
    with crm.session(ME) as me:
        r=me.accounts.delete_many([a.id,a.id]); print(list(r.outcomes))
    assert broken(snapshot(migrated_url))==[]

def test_delete_parent_child(crm):
    with crm.session(ME) as me:
        a=me.accounts.create(name="p"); b=me.accounts.create(name="c",parent=a)
        cs=me.changeset_id
    with crm.session(ME) as me:
        print(list(me.accounts.delete_many([a.id,b.id]).outcomes)); cs2=me.changeset_id
    with crm.session(ME) as me:
        u=me.undo(cs2); assert not u.refused and len(u.reverted)==2, u
    with crm.session(ME) as me:
        u=me.undo(cs); assert not u.refused and len(u.reverted)==2, u

def test_links_survive_refused_delete(crm):
    with crm.session(ME) as me:
        a=me.accounts.create(name="p"); me.accounts.tag(a,"vip"); me.deals.create(name="d",account=a)
    with crm.session(ME) as me:
        r=me.accounts.delete_many([a.id]); assert len(r.refused)==1
        assert me.accounts.exists("'vip' in tags")

def test_undo_delete_twice(crm, migrated_url):
    with crm.session(ME) as me: a=me.accounts.create(name="p")
    with crm.session(ME) as me: me.accounts.delete(a); c1=me.changeset_id
    with crm.session(ME) as me: print(me.undo(c1))
    with crm.session(ME) as me: me.accounts.delete(a.id); c2=me.changeset_id
    with crm.session(ME) as me: print(me.undo(c1))
    assert broken(snapshot(migrated_url))==[]
    with crm.session(ME) as me: print(me.undo(c2))
    with crm.session(ME) as me: print(me.accounts.update(a.id,name="q"))
    assert broken(snapshot(migrated_url))==[]

def test_remove_field_undo(crm):
    with crm.session(ME) as me:
        me.fields.add("account","num",I_(),indexed=True); me.fields.add("account","txt",T_())
        a=me.accounts.create(name="p",num=5,txt="t")
    with crm.session(ME) as me: me.fields.remove("account","num"); me.fields.remove("account","txt"); c=me.changeset_id
    with crm.session(ME) as me: u=me.undo(c); print(u)
    with crm.session(ME) as me:
        a=me.accounts.get(a.id); assert (a.num,a.txt)==(5,"t")

def test_group_by_money(crm):
    with crm.session(ME) as me:
        me.deals.create(name="a",amount=M(5,"EUR")); me.deals.create(name="b",amount=M(5,"USD"))
        g=me.deals.totals(by=F.amount); assert len(g)==2,g

def test_assign_out_of_sight(crm):
    u=rep(crm)
    with crm.session(ME) as me:
        me.records("grant").create(role=me.roles.one(name="rep"),on="deal",action="assign",scope="own")
    with crm.session("bo@acme.example") as me:
        d=me.deals.create(name="mine")
        ana=me.users.one(email=ME)
        d=me.deals.assign(d,ana); print(d)

def test_create_only(crm):
    u=rep(crm)
    with crm.session(ME) as me:
        r=me.roles.create(name="form")
        me.records("grant").create(role=r,on="lead",action="create")
        w=me.users.create(email="w@acme.example",name="w"); me.records("role_member").create(role=r,user=w)
    with crm.session("w@acme.example") as me:
        print(me.leads.create(name="Max Muster"))

def test_pg_conflict(crm, migrated_url):
    with crm.session(ME) as me: a=me.accounts.create(name="p")
    errs=[]; ok=[]
    bar=threading.Barrier(4)
    def go(i):
        bar.wait()
        for n in range(10):
            try:
                with crm.session(ME) as me:
                    x=me.accounts.get(a.id); me.accounts.update(x, headcount=(x.headcount or 0)+1)
                ok.append(1)
            except Exception as e: errs.append(e)
    ts=[threading.Thread(target=go,args=(i,)) for i in range(4)]
    [t.start() for t in ts];[t.join() for t in ts]
    print(len(ok), {(type(e).__name__, e.code, e.fields) for e in errs})
    with crm.session(ME) as me: print(me.accounts.get(a.id))
    assert {type(e) for e in errs}<={Conflict}
    assert broken(snapshot(migrated_url))==[]

def test_pg_conflict_by_id(crm, migrated_url):
    with crm.session(ME) as me: a=me.accounts.create(name="p")
    errs=[]; ok=[]
    bar=threading.Barrier(4)
    def go(i):
        bar.wait()
        for n in range(10):
            try:
                with crm.session(ME) as me:
                    me.accounts.update(a.id, headcount=i*100+n)
                ok.append(1)
            except Exception as e: errs.append(e)
    ts=[threading.Thread(target=go,args=(i,)) for i in range(4)]
    [t.start() for t in ts];[t.join() for t in ts]
    print(len(ok), {(type(e).__name__, e.code, e.fields) for e in errs})
    assert {type(e) for e in errs}<={Conflict}
    assert broken(snapshot(migrated_url))==[]

def test_unique_race(crm, migrated_url):
    with crm.session(ME) as me: me.fields.add("account","code",T_(),unique=True)
    errs=[]; ok=[]
    bar=threading.Barrier(4)
    def go(i):
        for n in range(5):
            bar.wait()
            try:
                with crm.session(ME) as me: me.accounts.create(name="p",code=f"c{n}")
                ok.append(n)
            except Exception as e: errs.append(e)
    ts=[threading.Thread(target=go,args=(i,)) for i in range(4)]
    [t.start() for t in ts];[t.join() for t in ts]
    print(ok, {(type(e).__name__, e.code, e.fields) for e in errs})
    assert {(type(e),e.fields) for e in errs}=={(Duplicate,("code",))}

@pytest.mark.parametrize("bad",["\x00","\ud800","x"*5000,"'; drop table crm_account; --"])
def test_texts(crm, migrated_url, bad):
    d=digest(migrated_url)
    out=[]
    def t(name,f):
        try: out.append((name,"OK",f()))
        except CrmkitError as e: out.append((name,type(e).__name__,e.code))
        except BaseException as e: out.append((name,"RAW",repr(e)[:100]))
    def with_(**kw):
        with crm.session(ME,**kw) as me: me.accounts.create(name="x"); raise UsageError("stop") if False else None
    t("tenant",lambda: with_(tenant=bad))
    t("actor",lambda: crm.session(bad).close())
    def s(f):
        def g():
            with crm.session(ME) as me: return str(f(me))[:60]
        return g
    t("get",s(lambda me: me.accounts.get(bad)))
    t("records",s(lambda me: me.records(bad)))
    t("tag",s(lambda me: me.accounts.tag(me.accounts.where().first() or me.accounts.create(name="q"),bad)))
    t("where",s(lambda me: me.accounts.where(bad)))
    t("where kw",s(lambda me: me.accounts.where(**{bad:1})))
    t("where val",s(lambda me: me.accounts.where(name=bad).count()))
    t("contains",s(lambda me: me.accounts.where(F.name.contains(bad)).count()))
    t("starts",s(lambda me: me.accounts.where(F.name.starts_with(bad)).count()))
    t("order",s(lambda me: list(me.accounts.order_by(bad))))
    t("totals",s(lambda me: me.accounts.totals(by=bad)))
    t("sums",s(lambda me: me.accounts.totals(sums=bad)))
    t("seg",s(lambda me: me.accounts.where(in_segment(bad)).count()))
    t("segc",s(lambda me: me.segments.create(name=bad,on="account",where="name == 'x'")))
    t("segw",s(lambda me: me.segments.create(name="n",on="account",where=bad)))
    t("sego",s(lambda me: me.segments.create(name="n",on=bad,where="name == 'x'")))
    t("field",s(lambda me: me.fields.add("account",bad,T_())))
    t("fieldon",s(lambda me: me.fields.add(bad,"a",T_())))
    t("fieldt",s(lambda me: me.fields.add("account","abc",bad)))
    t("fieldl",s(lambda me: me.fields.add("account","abd",T_(),label=bad)))
    t("fieldc",s(lambda me: me.fields.add("account","abe",T_(),check=bad)))
    t("obj",s(lambda me: me.objects.add(bad,plural="xs",label="l")))
    t("obj2",s(lambda me: me.records("custom_object").create(key=bad,plural="xs",label="l")))
    t("obj3",s(lambda me: me.objects.add("xk",plural="xs",label=bad)))
    t("cf2",s(lambda me: me.records("custom_field").create(on="account",key=bad,type="text",column="zzz")))
    t("cf3",s(lambda me: me.records("custom_field").create(on="account",key="kkk",type="text",column=bad)))
    t("cf4",s(lambda me: me.records("custom_field").create(on=bad,key="kkk",type="text",column="kkk")))
    t("grant",s(lambda me: me.records("grant").create(role=me.roles.one(name="rep"),on=bad,action="read")))
    t("grant2",s(lambda me: me.records("grant").create(role=me.roles.one(name="rep"),on="deal",action=bad)))
    t("grant3",s(lambda me: me.records("grant").create(role=me.roles.one(name="rep"),on="deal",action="read",fields=[bad])))
    t("create key",s(lambda me: me.accounts.create({bad:1,"name":"x"})))
    t("upsert by",s(lambda me: me.accounts.upsert(name="x",by=bad)))
    t("attr",s(lambda me: getattr(me.accounts,bad)))
    t("undo",s(lambda me: me.undo(bad)))
    t("hist",s(lambda me: me.accounts.history(bad)))
    t("explain",s(lambda me: me.accounts.where().explain(bad)))
    t("decision",s(lambda me: me.explain(me.users.one(email=ME),bad)))
    t("who",s(lambda me: me.who_can(me.users.one(email=ME),bad)))
    t("share",s(lambda me: me.accounts.share(me.accounts.create(name="q2"),bad,user=me.users.one(email=ME))))
    t("level",s(lambda me: me.accounts.share(me.accounts.create(name="q2"),"r",user=me.users.one(email=ME),level=bad)))
    t("move",s(lambda me: me.deals.move(me.deals.create(name="q2"),to=bad)))
    t("tenants.create",lambda: crm.tenants.create(bad))
    t("tenants.create2",lambda: crm.tenants.create("tt",bad))
    t("tenants.zone",lambda: crm.tenants.create("tt2",zone_name=bad))
    t("tenants.cur",lambda: crm.tenants.create("tt3",currency=bad))
    t("tenants.admit",lambda: crm.tenants.admit("default",bad))
    t("deliver",lambda: crm.deliver(bad))
    t("reason",lambda: with_(reason=bad))
    t("origin",lambda: with_(origin=bad))
    print()
    for o in out: print(*o)
    assert not [o for o in out if o[1]=="RAW"]
    with crm.session(ME) as me: me.accounts.count()

def test_wrong_shapes(crm, migrated_url):
    out=[]
    d=digest(migrated_url)
    def s(name,f):
        try:
            with crm.session(ME) as me: out.append((name,"OK",str(f(me))[:80]))
        except CrmkitError as e: out.append((name,type(e).__name__,e.code))
        except BaseException as e: out.append((name,"RAW",repr(e)[:100]))
    s("upsert by 5",lambda me: me.accounts.upsert(name="x",by=5))
    s("upsert by ()",lambda me: me.users.upsert(name="x",by=()))
    s("create 5",lambda me: me.accounts.create(5))
    s("create many 5",lambda me: list(me.accounts.create_many([5]).outcomes))
    s("grant many 5",lambda me: list(me.records("grant").create_many([5]).outcomes))
    s("update many 5",lambda me: list(me.accounts.update_many([5]).outcomes))
    s("update many 5",lambda me: list(me.accounts.update_many([(5,5)]).outcomes))
    s("upsert many 5",lambda me: list(me.accounts.upsert_many([5],by="name").outcomes))
    s("delete many 5",lambda me: list(me.accounts.delete_many([5,None,"x"]).outcomes))
    s("do 5",lambda me: me.do(5))
    s("undo 5",lambda me: me.undo(5))
    s("where 5",lambda me: me.accounts.where(5))
    s("totals 5",lambda me: me.accounts.totals(by=5))
    s("blocks 0",lambda me: list(me.users.where().blocks(0)))
    s("blocks -1",lambda me: list(me.users.where().blocks(-1)))
    s("blocks x",lambda me: list(me.users.where().blocks("x")))
    s("form",lambda me: me.accounts.create_many([{"name":"x"}],form="nope"))
    s("explain 5",lambda me: me.explain(5,"read"))
    s("tag 5",lambda me: me.accounts.tag(me.accounts.create(name="x"),5))
    s("share",lambda me: me.accounts.share(me.accounts.create(name="x"),5,user=5))
    s("move 5",lambda me: me.deals.move(me.deals.create(name="x"),to=5))
    s("move on",lambda me: me.deals.move(me.deals.create(name="x"),to="won",on="x"))
    s("complete at",lambda me: me.activities.complete(me.activities.create(kind="task",subject="x"),at=5))
    s("create draft",lambda me: me.accounts.create(me.users.one(email=ME)))
    s("get other",lambda me: me.accounts.get(me.users.one(email=ME)))
    s("records 5",lambda me: me.records(5))
    s("records []",lambda me: me.records([]))
    s("fields on 5",lambda me: me.fields.add(5,"x",T_()))
    s("fields type 5",lambda me: me.fields.add("account","x",5))
    s("fields opts",lambda me: me.fields.add("account","x","text",options=5))
    s("fields label 5",lambda me: me.fields.add("account","x","text",label=5))
    s("fields bogus kw",lambda me: me.fields.add("account","x","text",bogus=5))
    s("fields default",lambda me: me.fields.add("account","x",I_(),default="x"))
    s("fields unique 5",lambda me: me.fields.add("account","x",I_(),unique=5))
    s("assign 5",lambda me: me.accounts.assign(me.accounts.create(name="x"),5))
    s("unknown verb",lambda me: me.accounts.explode(1))
    s("seg where 5",lambda me: me.segments.create(name="n",on="account",where=5))
    s("grant where 5",lambda me: me.records("grant").create(role=me.roles.one(name="rep"),on="account",action="read",scope="where",where=5))
    s("stage req",lambda me: me.stages.update(me.stages.where().first(),required_fields=5))
    s("limit big",lambda me: list(me.users.where().limit(10**30)))
    s("headcount big",lambda me: me.accounts.create(name="x",headcount=10**30))
    s("headcount q",lambda me: me.accounts.where(F.headcount>10**30).count())
    s("version q",lambda me: me.accounts.where(F.version>10**30).count())
    s("nan",lambda me: me.accounts.create(name="x",annual_revenue=float("nan")))
    for o in out: print(*o)
    assert not [o for o in out if o[1]=="RAW"]
