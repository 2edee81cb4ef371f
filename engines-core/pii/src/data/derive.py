#!/usr/bin/env python3
"""Derives the tables of this folder from libphonenumber's metadata (Python port) and the public suffix list's ICANN part.

usage: pip install phonenumbers==9.0.43 tldextract==5.3.0 && python derive.py

phone_e164.bin      minimal automaton over digits: country calling code followed by a national number that is valid in some region of it
phone_national.bin  the same over what is dialled inside the regions of NATIONAL: the trunk prefix followed by a valid national number
                    One row a state of ten little-endian u16: the low 15 bits are the next state for that digit (0 = dead),
                    bit 15 of the *first* entry of a row says that the state accepts. State 1 is the start.
phone_shapes.txt    how those national numbers are written ("0dd dddd dddd"): for numbers that stand without any cue
tlds.txt            the top-level domains, sorted, one space between
"""
import phonenumbers as pn, sys
from phonenumbers.phonemetadata import PhoneMetadata
# --- tiny regex -> NFA -> DFA over digits
class NFA:
    def __init__(s): s.eps=[]; s.tr=[]
    def new(s): s.eps.append(set()); s.tr.append([]); return len(s.eps)-1
def parse(p):
    pos=0
    def alt():
        nonlocal pos
        br=[seq()]
        while pos<len(p) and p[pos]=='|': pos+=1; br.append(seq())
        return ('alt',br) if len(br)>1 else br[0]
    def seq():
        nonlocal pos
        it=[]
        while pos<len(p) and p[pos] not in '|)': it.append(rep())
        return ('seq',it)
    def rep():
        nonlocal pos
        a=atom()
        while pos<len(p) and p[pos] in '?{*+':
            if p[pos]=='?': pos+=1; a=('rep',a,0,1)
            elif p[pos]=='{':
                e=p.index('}',pos); q=p[pos+1:e]; pos=e+1
                lo,hi=(q.split(',')+[None])[:2] if ',' in q else (q,q)
                a=('rep',a,int(lo),int(hi))
            else: raise Exception(p)
        return a
    def atom():
        nonlocal pos
        c=p[pos]
        if c=='(':
            pos+=1
            if p[pos:pos+2]=='?:': pos+=2
            a=alt(); assert p[pos]==')'; pos+=1; return a
        if c=='[':
            e=p.index(']',pos); q=p[pos+1:e]; pos=e+1; s=set(); i=0
            while i<len(q):
                if i+2<len(q) and q[i+1]=='-': s|=set(range(int(q[i]),int(q[i+2])+1)); i+=3
                elif q[i:i+2]=='\\d': s|=set(range(10)); i+=2
                else: s.add(int(q[i])); i+=1
            return ('set',frozenset(s))
        if c=='\\': assert p[pos+1]=='d',p; pos+=2; return ('set',frozenset(range(10)))
        assert c.isdigit(),(p,pos); pos+=1; return ('set',frozenset([int(c)]))
    r=alt(); assert pos==len(p),(p,pos); return r
def build(n,a,s):
    k=a[0]
    if k=='set': e=n.new(); n.tr[s].append((a[1],e)); return e
    if k=='seq':
        for x in a[1]: s=build(n,x,s)
        return s
    if k=='alt':
        e=n.new()
        for x in a[1]:
            t=n.new(); n.eps[s].add(t); n.eps[build(n,x,t)].add(e)
        return e
    if k=='rep':
        for _ in range(a[2]): s=build(n,a[1],s)
        e=n.new(); n.eps[s].add(e)
        for _ in range(a[3]-a[2]): s=build(n,a[1],s); n.eps[s].add(e)
        return e
def dfa(pairs):
    """pairs: list of (prefix digits, pattern) -> minimal DFA (trans list, accept list), state 0 dead, 1 start"""
    n=NFA(); st=n.new(); fin=set()
    for pre,pat in pairs:
        s=n.new(); n.eps[st].add(s)
        for d in pre: s=build(n,('set',frozenset([int(d)])),s)
        fin.add(build(n,parse(pat),s))
    cl={}
    def closure(ss):
        out=set(ss); stack=list(ss)
        while stack:
            x=stack.pop()
            for y in n.eps[x]:
                if y not in out: out.add(y); stack.append(y)
        return frozenset(x for x in out if n.tr[x] or x in fin)
    ids={frozenset():0}; start=closure([st]); ids[start]=1; order=[frozenset(),start]; T=[[0]*10]; i=1
    while i<len(order):
        S=order[i]; row=[]
        for d in range(10):
            t=set()
            for x in S:
                for cs,e in n.tr[x]:
                    if d in cs: t.add(e)
            t=closure(t)
            if t not in ids: ids[t]=len(order); order.append(t)
            row.append(ids[t])
        T.append(row); i+=1
    acc=[bool(S&fin) for S in order]
    # minimise (acyclic): by depth hashing
    sys.setrecursionlimit(100000)
    memo={}; canon={}
    def c(s):
        if s in memo: return memo[s]
        memo[s]=None
        if s==0: key=('dead',)
        else: key=(acc[s],tuple(c(t) for t in T[s]))
        if s!=0 and key==(False,(0,)*10): key=('dead',)
        if key not in canon: canon[key]=len(canon)
        memo[s]=canon[key]; return memo[s]
    c(0); r=c(1)
    rows={v:((False,(0,)*10) if k==("dead",) else k) for k,v in canon.items()}
    return rows,r,canon
TYPES="fixed_line mobile toll_free premium_rate shared_cost personal_number voip pager uan voicemail".split()
def pats(m):
    out=[]
    for t in TYPES:
        d=getattr(m,t)
        if d and d.national_number_pattern and d.national_number_pattern!='NA':
            out.append(d.national_number_pattern)
    return out
NATIONAL="US GB IE DE FR ES PT IT NL BE SE PL CH IN BR MX JP AU CA AT DK NO FI CZ GR HU RO IL ZA KR SG TR RU UA CN HK NZ AR CL CO".split()
NO_TRUNK_TOO=("US","CA","RU","SG","BR","IN","TR","AR","CN")
def write(path,rows,start):
    order={0:0}; todo=[start]
    while todo:
        x=todo.pop()
        if x in order: continue
        order[x]=len(order); todo+=[t for t in rows[x][1] if t]
    assert order[start]==1 and len(order)<1<<15
    out=bytearray(20)
    for x in sorted(order,key=order.get)[1:]:
        acc,row=rows[x]
        for d,t in enumerate(row):
            out+=(order[t]|(0x8000 if acc and d==0 else 0)).to_bytes(2,"little")
    open(path,"wb").write(out); print(path,len(order),"states",len(out),"bytes")
def shapes():
    import random,re
    R=random.Random(1); seen={}
    for r in NATIONAL:
        for t in range(0,11):
            ex=pn.example_number_for_type(r,t)
            if not ex: continue
            nat=pn.national_significant_number(ex)
            for _ in range(600):
                k=R.randint(3,len(nat)-1)
                try: n=pn.parse("+%d%s"%(ex.country_code,nat[:len(nat)-k]+"".join(R.choice("0123456789") for _ in range(k))))
                except Exception: continue
                if not pn.is_valid_number(n): continue
                s=pn.format_number(n,pn.PhoneNumberFormat.NATIONAL)
                seen[re.sub(r"\d","d",s)]=s[0]
    return sorted(seen)
def tlds():
    import glob,os,tldextract
    s=set()
    for l in open(os.path.join(os.path.dirname(tldextract.__file__),".tld_set_snapshot"),encoding="utf8"):
        if "BEGIN PRIVATE" in l: break
        l=l.strip()
        if l and not l.startswith("//"):
            t=l.split(".")[-1].lstrip("!*")
            # Internationalized ones in both forms (RFC 3492).
            s.add(t if t.isascii() else t.encode("idna").decode())
            s.add(t[4:].encode().decode("punycode") if t.startswith("xn--") else t)
    return sorted(s)
if __name__=="__main__":
    pairs=[]
    for r in pn.SUPPORTED_REGIONS:
        m=PhoneMetadata.metadata_for_region(r)
        pairs+=[(str(m.country_code),p) for p in pats(m)]
    for cc in pn.COUNTRY_CODES_FOR_NON_GEO_REGIONS:
        pairs+=[(str(cc),p) for p in pats(PhoneMetadata.metadata_for_nongeo_region(cc))]
    rows,start,_=dfa(pairs); write("phone_e164.bin",rows,start)
    pairs=[]
    for r in NATIONAL:
        m=PhoneMetadata.metadata_for_region(r)
        for p in pats(m):
            pairs.append((m.national_prefix or "",p))
            if r in NO_TRUNK_TOO: pairs.append(("",p))
    rows,start,_=dfa(pairs); write("phone_national.bin",rows,start)
    open("phone_shapes.txt","w").write("\n".join(shapes())+"\n")
    open("tlds.txt","w").write(" ".join(tlds())+"\n")
